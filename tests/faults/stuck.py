"""Requests that do not end: loops in Python, sleeps and locks, C with the interpreter's lock, whole workers (F05, F06, F37)."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.address import Address
from tests.faults.kinds import OURS, REQUEST_TIMEOUT, WORKERS, Wish
from tests.faults.play import fault
from tests.faults.servers import eventually, free_port
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from typing import Callable

    from tests.faults.play import Play
    from tests.faults.prober import Prober
    from tests.faults.servers import Victim

#: Seconds that a thread has to come back, for ours.
GRACE = 1
#: What its own watchdogs say, in the log of ours.
STACK = r'faulty.py", line \d+,? in hang'


@dataclass(frozen=True)
class Case:
    """How requests are stuck, and what follows from it."""

    how: str
    #: As many requests, on connections of their own.
    requests: int = 1
    #: Whether their worker has to go.
    replaced: bool = True
    #: The option that limits it; none for the time-out of requests, whose clients are answered and not only cut.
    option: str = ""
    threads: int = 4


def stuck_fault(
    number: str, title: str, needs: tuple[str, ...] = (REQUEST_TIMEOUT,), full: float = 2.0
) -> Callable[[Callable[[Play], None]], Callable[[Play], None]]:
    """All have the same limits; the times count from the time-out on, which is `full` seconds when played in full."""
    limits = {
        "client told after the time-out +": 1.0,
        "a new worker after the time-out +": GRACE + 1.0,
        "slowest answer to a health check": 0.01,
        "p99 against before": 2.0,
    }
    return fault(number, title, [WORKERS, *needs], {"time-out": (1.0, full)}, limits)


class Stuck(threading.Thread):
    """One request that does not end by itself, and when its client was told."""

    def __init__(self, victim: Victim, how: str) -> None:
        super().__init__(daemon=True)
        self.began, self.took, self.status = time.monotonic(), 0.0, ""
        self._victim, self._how = victim, how

    def run(self) -> None:
        """504, or the end of the connection, is what may come."""
        try:
            self.status = str(self._victim.get(f"/hang?how={self._how}&seconds=100", 90).status)
        except (TimeoutError, socket.timeout):
            self.status = "hung"
        except (OSError, AssertionError):
            self.status = "closed"
        self.took = time.monotonic() - self.began


class Health(threading.Thread):
    """Health checks of ours beside it, and the slowest answer."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.times: list[float] = []
        self.failed = 0
        self._address = Address(host="127.0.0.1", port=port)
        self._ended = threading.Event()

    def run(self) -> None:
        """One every 20 ms."""
        while not self._ended.wait(0.02):
            began = time.monotonic()
            try:
                fine = exchange(self._address, http_request(target="/-/live"), timeout=5.0).status == 200
            except (OSError, AssertionError):
                fine = False
            self.failed += not fine
            self.times.append(time.monotonic() - began)

    def end(self, play: Play) -> None:
        """What there was. One in a hundred may have met another process of this machine."""
        self._ended.set()
        self.join(10)
        times = sorted(self.times)
        slowest = times[len(times) * 99 // 100] if times else 60.0
        # On a busy machine a check takes its turn like any process: a short run only tells whether one had to wait.
        limit = play.limit("slowest answer to a health check") if play.full else 1.0
        play.check("slowest answer to a health check", f"{slowest:.3g} s", f"{limit:g} s", slowest <= limit)
        play.check("health checks that failed", str(self.failed), "0", self.failed == 0)


def play_stuck(play: Play, case: Case) -> None:
    """Stuck requests beside the probes and health checks."""
    timeout, admin = play.seconds("time-out"), free_port()
    is_ours = OURS in play.kind.features
    limit = (case.option, f"{timeout}s") if case.option else ("--timeout-grace", f"{GRACE}s")
    wish = Wish(
        threads=case.threads,
        request_timeout=None if case.option else round(timeout),
        more=(*limit, "--admin-bind", f"127.0.0.1:{admin}"),
    )
    with play.server(wish) as victim, play.probing(victim) as prober:
        prober.wait_for(300)
        before, count = prober.tally.p99(), prober.tally.right
        workers, health = victim.workers(), Health(admin)
        if is_ours:
            health.start()
        with contextlib.nullcontext() if is_ours else prober.while_dying(*workers):
            clients = [Stuck(victim, case.how) for _ in range(case.requests)]
            for client in clients:
                client.start()
            if case.replaced:
                look_at_successor(play, victim, timeout, clients[0].began)
            for client in clients:
                client.join(120)
            look_at_clients(play, clients, timeout, case)
        if not case.replaced:
            same = victim.workers() == workers
            play.check("same workers", str(same), "True", same)
        prober.wait_for(100)
        if is_ours:
            health.end(play)
            stack = bool(victim.log.find(STACK))
            play.check("its stack is in the log", str(stack), "True", stack)
        # Where a worker has one thread, what it has read waits for that.
        if case.threads > 1:
            look_at_others(play, prober, before, count)
        play.check("still serving", str(victim.answers()), "True", victim.answers())
    play.none_failed(prober)


def look_at_successor(play: Play, victim: Victim, timeout: float, began: float) -> None:
    """The stuck worker is gone, and there are two."""
    eventually(lambda: victim.project.events("inside"), 10, "a request is inside")
    inside = {int(pid) for (pid,) in victim.project.events("inside")}
    limit = play.limit("a new worker after the time-out +") + timeout + 30
    eventually(lambda: len(set(victim.workers()) - inside) >= 2, limit, "there are two workers")
    play.within("a new worker after the time-out +", max(0.0, time.monotonic() - began - timeout))
    eventually(lambda: inside.isdisjoint(victim.workers()), limit, "stuck workers are gone")


def look_at_clients(play: Play, clients: list[Stuck], timeout: float, case: Case) -> None:
    """They were told in time. A watchdog's time is no request's: there the connection ends with its worker."""
    statuses = {client.status for client in clients}
    play.check("clients see", ", ".join(sorted(statuses)), "504 or closed", statuses <= {"504", "closed"})
    if not case.option:
        slowest = max(client.took for client in clients) - timeout
        play.within("client told after the time-out +", max(0.0, slowest))


def look_at_others(play: Play, prober: Prober, before: float, count: int) -> None:
    """Others are served as before. Below some milliseconds the machine is all that is seen."""
    after = prober.tally.p99(count)
    play.as_before(after, before, 0.05)


@stuck_fault("F05", "an endless loop in Python")
def spins(play: Play) -> None:
    """The thread is taken out of it, and the worker lives."""
    play_stuck(play, Case("spin", replaced=OURS not in play.kind.features))


@stuck_fault("F05c", "an endless loop in Python, in workers of one thread")
def spins_alone(play: Play) -> None:
    """The application runs in the main thread there."""
    play_stuck(play, Case("spin", replaced=OURS not in play.kind.features, threads=1))


@stuck_fault("F05b", "a request that sleeps for ever")
def sleeps(play: Play) -> None:
    """It cannot be taken out, so its worker is replaced."""
    play_stuck(play, Case("sleep"))


@stuck_fault("F06", "a call in C that keeps the interpreter's lock")
def holds_the_lock(play: Play) -> None:
    """Nothing else runs in that worker; who was there goes to the other, and it is replaced."""
    play_stuck(play, Case("c"))


@stuck_fault(
    "F06b", "a call in C that keeps the interpreter's lock, without a time-out of requests", (OURS,), 30.0
)
def holds_the_lock_for_ever(play: Play) -> None:
    """The worker's own watchdog finds it."""
    play_stuck(play, Case("c", option="--gil-timeout"))


@stuck_fault("F37", "all threads of a worker wait for each other")
def deadlock(play: Play) -> None:
    """As many stuck requests as a worker has threads."""
    play_stuck(play, Case("lock", requests=4))
