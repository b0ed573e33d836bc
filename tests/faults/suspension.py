"""Processes that are stopped and go on, or do not: the master, and a worker (F45)."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

from tests.faults.kinds import OURS, REQUEST_TIMEOUT, WORKERS, Wish
from tests.faults.play import fault
from tests.faults.servers import children, eventually, is_alive

if TYPE_CHECKING:
    from tests.faults.play import Play


@fault("F45", "the master is stopped and goes on", needs=[WORKERS], sizes={"seconds": (1, 60)})
def master_stopped(play: Play) -> None:
    """Workers serve meanwhile, and nobody is killed afterwards: the time-out of requests is shorter than the stop."""
    timeout = max(1, play.size("seconds") // 2) if REQUEST_TIMEOUT in play.kind.features else None
    with play.server(Wish(request_timeout=timeout)) as victim, play.probing(victim) as prober:
        workers = victim.workers()
        victim.send(signal.SIGSTOP)
        try:
            time.sleep(play.seconds("seconds"))
        finally:
            victim.send(signal.SIGCONT)
        time.sleep(1)
        prober.wait_for(50)
        same = victim.workers() == workers
        play.check("same workers", str(same), "True", same)
    play.none_failed(prober)


@fault(
    "F45b",
    "a worker is stopped and goes on",
    needs=[WORKERS],
    sizes={"seconds": (3, 20)},
    # Those on its kept connections, and what it was about to accept.
    limits={"requests that waited for it": 12},
)
def worker_stopped(play: Play) -> None:
    """New clients go to the other one; for less than its time it stays."""
    with play.server(Wish()) as victim:
        workers = victim.workers()
        with play.probing(victim, slow=min(2.0, play.patience)) as prober:
            prober.wait_for(100)
            os.kill(workers[0], signal.SIGSTOP)
            began = time.monotonic()
            try:
                time.sleep(play.seconds("seconds"))
            finally:
                os.kill(workers[0], signal.SIGCONT)
            prober.wait_for(200)
        failed = prober.failed()
        waited = [failure for failure in failed if failure.kind in ("slow", "hung")]
        play.at_most("requests that waited for it", len(waited))
        others = sorted({failure.kind for failure in failed if failure not in waited})
        play.check("other failures", ", ".join(others) or "none", "none", not others)
        late = [failure for failure in failed if failure.began > began + 0.5 and failure.pid == 0]
        play.check("new clients that waited", str(len(late)), "0", not late)
        alive = sorted({*victim.workers()} & {*children(victim.pid)})
        same = alive == workers or OURS not in play.kind.features
        play.check("workers", str(len(alive)), "2, the same", len(alive) == 2 and same)


@fault(
    "F45c",
    "a worker is stopped and does not go on",
    needs=[WORKERS, REQUEST_TIMEOUT],
    sizes={"time-out": (1, 30)},
    limits={"two workers serve after the time-out +": 2.0, "it is gone after the time-out +": 15.0},
)
def worker_stopped_for_good(play: Play) -> None:
    """It is replaced when its time is over, and new clients do not notice."""
    timeout = play.size("time-out")
    with play.server(Wish(request_timeout=timeout, graceful=2)) as victim:
        old = victim.workers()
        with play.probing(victim) as prober:
            prober.wait_for(100)
            with prober.while_dying(old[0]):
                os.kill(old[0], signal.SIGSTOP)
                began = time.monotonic()
                try:
                    eventually(
                        lambda: len(set(victim.workers()) - {old[0]}) >= 2, timeout + 60, "a successor"
                    )
                    play.within("two workers serve after the time-out +", time.monotonic() - began - timeout)
                    eventually(lambda: not is_alive(old[0]), timeout + 60, "the stopped worker is gone")
                    play.within("it is gone after the time-out +", time.monotonic() - began - timeout)
                finally:
                    if is_alive(old[0]):
                        os.kill(old[0], signal.SIGCONT)
            prober.wait_for(100)
        late = [f for f in prober.tally.failures if f.began > began + 0.5 and f.pid == 0]
        play.check("new clients that failed", str(len(late)), "0", not late)
