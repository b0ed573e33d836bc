"""What other requests notice of one that is stuck: their latencies before and beside it, in its own worker and in the other.

A worker that has no peer cannot send its clients elsewhere, so what happens in the stuck one is measured where it is alone.
The figures are printed (`pytest -s`). Each is the median of several servers, and each server is its own baseline: the
machine may be busy.
"""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.server import APPS, Server
from tests.wire import Connection, Truncated, http_request

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

ROUNDS = 5
#: Seconds: of the baseline, beside the stuck request, its time-out, and what its thread has after that.
BEFORE, BESIDE, LIMIT, GRACE = 2.0, 2.0, 3.0, 1.0
#: The interpreter's: how long a thread that wants its lock waits before it asks for it.
SWITCH = 0.005

STACKS = {"sleep": r"in sleep$", "lock": r"in lock$", "spin": r"in spin$", "keep": r"in keep_the_lock$"}


@dataclass
class Round:
    """What one server showed: latencies in seconds, and when the stuck request ended."""

    before: list[float]
    beside: list[float]
    ended: float


def p99(latencies: Sequence[float]) -> float:
    return sorted(latencies)[math.ceil(len(latencies) * 0.99) - 1]


class Clients:
    """Clients with a connection each, made anew when the server ends it."""

    def __init__(self, server: Server, count: int) -> None:
        self._server = server
        self._connections = [Connection(server.address) for _ in range(count)]
        self._workers = [0] * count

    def __enter__(self) -> Clients:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._connections:
            connection.close()

    def ask(self, number: int) -> tuple[int, float]:
        """The worker that answered, and how long that took."""
        client = self._connections[number]
        began = time.monotonic()
        client.send(http_request(target="/pid"))
        response = client.read_response()
        took = time.monotonic() - began
        assert response.status == 200
        if response.closes:
            client.close()
            self._connections[number] = Connection(self._server.address)
        self._workers[number] = int(response.body)
        return int(response.body), took

    def workers(self) -> list[int]:
        """Of each."""
        return [self.ask(number)[0] for number in range(len(self._connections))]

    def take(self) -> Connection:
        """The first of them, for other use."""
        self._workers.pop(0)
        return self._connections.pop(0)

    def measure(self, seconds: float, without: int = 0) -> list[float]:
        """One request after the other, round and round the clients; those of all workers but one."""
        found, until = list[float](), time.monotonic() + seconds
        while time.monotonic() < until:
            for number, worker in enumerate(self._workers):
                if worker != without:
                    found.append(self.ask(number)[1])
                # A client that never pauses would keep the worker from its other threads.
                time.sleep(0.0005)
        return found


@contextmanager
def busy_processor() -> Generator[None, None, None]:
    """Another process computes: what the stuck request takes of the machine is not what is asked for."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
        try:
            yield
        finally:
            other.kill()


def play(how: str, where: str) -> Round:
    """One server, and one request that is stuck in it."""
    limits = ("--request-timeout", f"{LIMIT}s", "--timeout-grace", f"{GRACE}s", "--graceful-timeout", "2s")
    shape = ("--workers", "2" if where == "other" else "1", "--threads", "4")
    with ExitStack() as stack:
        server = stack.enter_context(Server.start("stuck:application", *shape, *limits, cwd=APPS))
        clients = stack.enter_context(Clients(server, 12))
        workers = clients.workers()
        assert set(workers) == set(server.worker_pids())
        own, stuck = workers[0], stack.enter_context(clients.take())
        without = own if where == "other" else 0
        with busy_processor() if how == "spin" else nullcontext():
            before = clients.measure(BEFORE, without)
        began = time.monotonic()
        stuck.send(http_request(target=f"/{how}"))
        time.sleep(0.05)
        beside = clients.measure(BESIDE, without)
        with suppress(Truncated, ConnectionError):
            assert stuck.read_response().status == 504
        ended = time.monotonic() - began
        server.log.wait_for(STACKS[how])
        while how != "spin" and own in server.worker_pids():
            # Nothing brings it back: another worker takes its place, and nobody notices.
            assert time.monotonic() - began < LIMIT + GRACE + 20
            clients.measure(0.2)
        clients.measure(0.2)
    return Round(before, beside, ended)


def medians(rounds: Sequence[Round]) -> tuple[float, float, float]:
    """Of the rounds: the p99 before, beside, and how many times as long that is."""
    before = [p99(one.before) for one in rounds]
    beside = [p99(one.beside) for one in rounds]
    times = [after / base for base, after in zip(before, beside)]
    return statistics.median(before), statistics.median(beside), statistics.median(times)


@pytest.mark.long
@pytest.mark.parametrize(
    ("how", "where"),
    [(how, where) for how in STACKS for where in ("other", "own") if (how, where) != ("keep", "own")],
)
def test_others_are_served_beside_a_stuck_request(how: str, where: str) -> None:
    rounds = [play(how, where) for _ in range(ROUNDS)]
    before, beside, times = medians(rounds)
    ended = max(one.ended for one in rounds)
    sys.stdout.write(
        f"\n{how}, {where} worker: p99 {before * 1e3:.2f} ms, beside it {beside * 1e3:.2f} ms, {times:.2f} x; "
        f"{min(len(one.beside) for one in rounds)} requests or more; ended after {ended:.2f} s of {LIMIT:.0f} s\n"
    )
    assert ended < LIMIT + GRACE + 1
    if where == "other":
        assert times <= 2
    elif how == "spin":
        assert beside <= before + 3 * SWITCH
    else:
        assert times <= 1.5
