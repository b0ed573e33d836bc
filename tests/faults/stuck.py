"""Requests that do not end: loops in Python, sleeps and locks, C with the interpreter's lock, whole workers (F05, F06, F37)."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING

from tests.faults.kinds import OURS, REQUEST_TIMEOUT, WORKERS, Wish
from tests.faults.play import fault
from tests.faults.servers import eventually

if TYPE_CHECKING:
    from tests.faults.play import Play
    from tests.faults.servers import Victim

#: Seconds that a thread has to come back, for ours.
GRACE = 1
SIZES = {"time-out": (1.0, 2.0)}
LIMITS = {"client told after the time-out +": 1.0, "a new worker after the time-out +": GRACE + 4.0}


class Stuck(threading.Thread):
    """One request that does not end by itself, and when its client was told."""

    def __init__(self, victim: Victim, how: str) -> None:
        super().__init__(daemon=True)
        self.began, self.took, self.status = time.monotonic(), 0.0, ""
        self._victim, self._how = victim, how

    def run(self) -> None:
        """504, or the end of the connection, is what may come."""
        try:
            self.status = str(self._victim.get(f"/hang?how={self._how}&seconds=100", 60).status)
        except (TimeoutError, socket.timeout):
            self.status = "hung"
        except (OSError, AssertionError):
            self.status = "closed"
        self.took = time.monotonic() - self.began


def play_stuck(play: Play, how: str, requests: int, replaced: bool) -> None:
    """Stuck requests beside the probes; whether their worker has to go for it."""
    timeout = play.size("time-out")
    more = ("--timeout-grace", f"{GRACE}s")
    with play.server(Wish(request_timeout=timeout, more=more)) as victim, play.probing(victim) as prober:
        prober.wait_for(100)
        workers = victim.workers()
        with prober.while_dying(*workers) if OURS not in play.kind.features else contextlib.nullcontext():
            clients = [Stuck(victim, how) for _ in range(requests)]
            for client in clients:
                client.start()
            for client in clients:
                client.join(90)
            statuses = sorted({client.status for client in clients})
            play.check(
                "clients see", ", ".join(statuses), "504 or closed", set(statuses) <= {"504", "closed"}
            )
            slowest = max(client.took for client in clients) - timeout
            play.within("client told after the time-out +", max(0.0, slowest))
            inside = {int(pid) for (pid,) in victim.project.events("inside")}
            if replaced:
                limit = play.limit("a new worker after the time-out +") + timeout
                eventually(lambda: inside.isdisjoint(victim.workers()), limit + 30, "stuck workers are gone")
                eventually(lambda: len(victim.workers()) >= 2, limit + 30, "there are two workers")
                took = time.monotonic() - clients[0].began - timeout
                play.within("a new worker after the time-out +", max(0.0, took))
        if not replaced:
            same = victim.workers() == workers
            play.check("same workers", str(same), "True", same)
        prober.wait_for(100)
        if OURS in play.kind.features:
            stack = bool(victim.log.find(r'faulty.py", line \d+,? in hang'))
            play.check("its stack is in the log", str(stack), "True", stack)
        play.check("still serving", str(victim.answers()), "True", victim.answers())
    play.none_failed(prober)


@fault(
    "F05",
    "an endless loop in Python",
    needs=[WORKERS, REQUEST_TIMEOUT],
    sizes=SIZES,
    limits=LIMITS,
)
def spins(play: Play) -> None:
    """The thread is taken out of it, and the worker lives."""
    play_stuck(play, "spin", 1, replaced=OURS not in play.kind.features)


@fault(
    "F05b",
    "a request that sleeps for ever",
    needs=[WORKERS, REQUEST_TIMEOUT],
    sizes=SIZES,
    limits=LIMITS,
)
def sleeps(play: Play) -> None:
    """It cannot be taken out, so its worker is replaced."""
    play_stuck(play, "sleep", 1, replaced=True)


@fault(
    "F06",
    "a call in C that keeps the interpreter's lock",
    needs=[WORKERS, REQUEST_TIMEOUT],
    sizes=SIZES,
    limits=LIMITS,
)
def holds_the_lock(play: Play) -> None:
    """Nothing else runs in that worker; who was there goes to the other, and it is replaced."""
    play_stuck(play, "c", 1, replaced=True)


@fault(
    "F37",
    "all threads of a worker wait for each other",
    needs=[WORKERS, REQUEST_TIMEOUT],
    sizes=SIZES,
    limits=LIMITS,
)
def deadlock(play: Play) -> None:
    """As many stuck requests as a worker has threads."""
    play_stuck(play, "lock", 4, replaced=True)
