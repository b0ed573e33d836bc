"""Twice as many requests as can be served, and a queue of connections that is full (F25)."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from tests.faults import ours
from tests.faults.crowds import room_for_clients
from tests.faults.kinds import OURS, Wish
from tests.faults.play import fault
from tests.kernel import wait_until_stopped
from tests.steady import Clients, Pace, Wrong

if TYPE_CHECKING:
    from tests.faults.play import Play
    from tests.faults.servers import Victim

#: Seconds that a request takes, and that one may wait for a thread: ours is told how long, the text's default holds for others.
NAP, QUEUE, OTHERS_QUEUE = 0.02, 0.5, 5.0


class Nap:
    """Requests that sleep. Refused properly is 503 with a time to try again."""

    def request(self, number: int, closing: bool) -> bytes:
        """A GET; see `steady.Question`."""
        wish = "Connection: close\r\n" if closing else ""
        return f"GET /nap?seconds={NAP} HTTP/1.1\r\nHost: a\r\n{wish}\r\n".encode()

    def judge(self, number: int, status: int, head: bytes, body: bytes) -> int:
        """The process."""
        if status == 200:
            return int(body)
        raise Wrong(f"{status}{'' if b'retry-after: ' in head else ' without Retry-After'}")


@fault(
    "F25",
    "twice the capacity",
    sizes={"seconds": (3, 60), "peak": (1, 5)},
    limits={"share of the peak that is answered": 0.9, "recovery": 1.0, "refused after": 1.0},
)
def overload(play: Play) -> None:
    """Requests of 20 ms in 8 threads: 400/s is what can be. Twice as many come, each on a new connection."""
    is_ours = OURS in play.kind.features
    more = ("--queue-timeout", f"{QUEUE}s") if is_ours else ()
    with room_for_clients(6000), play.server(Wish(more=more)) as victim:
        with Clients(victim.address, Nap(), Pace(kept=16)) as closed:
            time.sleep(play.seconds("peak"))
        peak = closed.tally.right / play.seconds("peak")
        play.check("peak", f"{peak:.0f}/s", "some", peak > 0)
        pace = Pace(kept=0, new_every=0.5 / peak, most_new=5000)
        with Clients(victim.address, Nap(), pace, slow=60.0) as crowd:
            time.sleep(play.seconds("seconds"))
            answered = crowd.tally.right
            began = time.monotonic()
        look(play, crowd, answered / play.seconds("seconds") / peak, QUEUE if is_ours else OTHERS_QUEUE)
        while not victim.answers():
            assert time.monotonic() - began < 30, "no recovery"
        # What was sent before may still be answered within the limit of the queue.
        waits = QUEUE if is_ours else OTHERS_QUEUE
        play.within("recovery", max(0.0, time.monotonic() - began - waits))
    if is_ours:
        full_queue(play)


def look(play: Play, crowd: Clients, share: float, queue: float) -> None:
    """What the crowd got."""
    least = play.fault.limits["share of the peak that is answered"] / (1 if play.full else 2)
    play.check("share of the peak that is answered", f"{share:.2f}", f"{least:g}", share >= least)
    p99, most = crowd.tally.p99(), (queue + NAP) * play.patience
    play.check("p99 of the accepted", f"{p99:.3f} s", f"{most:g} s", p99 <= most)
    refused = [failure.ended - failure.began for failure in crowd.tally.failures if failure.kind == "503"]
    slowest = sorted(refused)[int(len(refused) * 0.99)] if refused else 0.0
    play.within("refused after", slowest)
    others = [failure for failure in crowd.tally.failures if failure.kind != "503"]
    found = crowd.tally.summary(others)
    play.check("neither answered nor told 503", f"{found}, {len(refused)} told 503", "none", not others)


def full_queue(play: Play) -> None:
    """Nobody accepts for a moment, and sixteen may wait: what the system drops is counted."""
    with play.server(Wish(more=("--backlog", "16"))) as victim:
        workers = victim.workers()
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
            wait_until_stopped(pid)
        with ExitStack() as stack:
            with suppress(OSError):
                for _ in range(40):
                    stack.enter_context(victim.address.connect(0.2))
            counted = dropped(victim)
        play.check("full queues counted", str(counted), "some", counted > 0)
        for pid in workers:
            os.kill(pid, signal.SIGCONT)


def dropped(victim: Victim) -> int:
    """Connections for which there was no room, as status tells."""
    return sum(int(place["overflows"] or 0) for place in ours.status(victim)["sockets"])
