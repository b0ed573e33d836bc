"""Crowds of slow, idle, half-closed and greedy clients: the others notice nothing, and each costs next to nothing.

The full numbers (security reference F18 to F30) are in the tests marked `long`; the others are a fifth of them.
"""

from __future__ import annotations

import os
import re
import signal
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from tests.crowd import Crowd
from tests.kernel import assert_asleep, own_memory, wait_until_stopped
from tests.wire import Connection, http_request

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Generator

    from tests.address import Address
    from tests.conftest import Serve
    from tests.server import Server

APP = "plain:application"
KIB = 1024
#: Requests of one measurement: its 99th percentile stands on 15 of them.
PROBES = 1500
ATTEMPTS = 5


def p99(address: Address) -> float:
    """The 99th percentile of a fast client's waits."""
    waits: list[float] = []
    with Connection(address, 60.0) as connection:
        for _ in range(PROBES):
            start = time.perf_counter()
            connection.send(http_request())
            assert connection.read_response().body == b"hello"
            waits.append(time.perf_counter() - start)
    return statistics.quantiles(waits, n=100)[98]


#: Seconds that the scheduler of a busy machine may add to any request: no client that waits for slow ones waits less.
NOISE = 0.005


def assert_nobody_waits(alone: Callable[[], float], beside: Callable[[], float], most: float) -> None:
    """The fast client waits at most `most` times as long beside a crowd as alone: in the best of some runs, since
    whatever else runs on the machine only makes it worse."""
    found: list[tuple[float, float]] = []
    for _ in range(ATTEMPTS):
        found.append((alone(), beside()))
        if found[-1][1] <= max(most * found[-1][0], NOISE):
            return
    raise AssertionError(f"alone and beside the crowd: {found}")


@pytest.mark.parametrize("kind", ["head", "body", "read"])
def test_200_clients_of_ten_bytes_a_second_slow_nobody_down(serve: Serve, kind: str) -> None:
    """They hold no thread either: there is one. Compared with a crowd at another server: both take their share of the
    processors."""
    server, other = serve(APP, "--threads", "1"), serve(APP, "--threads", "1")

    def beside(crowded: Server) -> float:
        with Crowd(kind, crowded.address, 200):
            return p99(server.address)

    assert_nobody_waits(lambda: beside(other), lambda: beside(server), 2.0)


@pytest.mark.parametrize(
    ("count", "limit", "late", "every"),
    [
        pytest.param(200, "2s", 4.0, 0.2, id="200"),
        pytest.param(1000, "10s", 4.0, 1.0, id="1000", marks=pytest.mark.long),
    ],
)
def test_a_slow_head_has_its_time_and_little_memory(
    serve: Serve, count: int, limit: str, late: float, every: float
) -> None:
    server = serve(APP, "--head-timeout", limit)
    before = own_memory(server)
    with Crowd("head", server.address, count, every) as crowd:
        assert own_memory(server) - before <= 32 * KIB * count
        fates = crowd.fates(30)
    seconds = float(limit.rstrip("s"))
    assert {fate.end for fate in fates} == {"408"}
    assert all(seconds - 0.05 <= fate.seconds <= seconds + late + every for fate in fates), fates


@pytest.mark.parametrize(
    ("count", "after", "late"),
    [
        pytest.param(200, "2s", 4.0, id="200"),
        pytest.param(1000, "10s", 4.0, id="1000", marks=pytest.mark.long),
    ],
)
def test_a_slow_body_has_its_time_and_holds_no_thread(
    serve: Serve, count: int, after: str, late: float
) -> None:
    server = serve(APP, "--threads", "1", "--min-rate-after", after)
    with Crowd("body", server.address, count, 1.0) as crowd:
        p99(server.address)
        fates = crowd.fates(30)
    seconds = float(after.rstrip("s"))
    assert {fate.end for fate in fates} == {"408"}
    assert all(seconds - 0.05 <= fate.seconds <= seconds + late + 1.0 for fate in fates), fates


@contextmanager
def connections(address: Address, count: int, first: bytes) -> Generator[list[Connection]]:
    """So many, each of which has sent something."""
    with ExitStack() as stack:
        made = [stack.enter_context(Connection(address, 60.0)) for _ in range(count)]
        for connection in made:
            connection.send(first)
        yield made


SIZES = [pytest.param(200, id="200"), pytest.param(1000, id="1000", marks=pytest.mark.long)]


@pytest.mark.parametrize("count", SIZES)
def test_half_closed_clients_that_wait_cost_nothing(serve: Serve, count: int) -> None:
    """Their requests are behind one that takes its time; then each gets its answer."""
    server = serve("steps:application", "--threads", "1")
    with Connection(server.address, 30.0) as first:
        first.send(http_request(target="/sleep?seconds=5"))
        with connections(server.address, count, http_request(target="/pid")) as waiting:
            for connection in waiting:
                connection.half_close()
            time.sleep(0.5)
            assert_asleep(server)
            assert first.read_response().status == 200
            for connection in waiting:
                assert connection.read_response().status == 200
                connection.assert_closed()


@pytest.mark.parametrize("reset", [False, True], ids=["half-closed", "reset"])
def test_clients_that_do_not_read_and_say_no_more_cost_nothing(serve: Serve, reset: bool) -> None:
    server = serve(APP)
    with connections(server.address, 50, http_request(target="/download?blocks=100&sized")) as stuck:
        for connection in stuck:
            connection.read_head()
            if reset:
                connection.reset()
            else:
                connection.half_close()
        time.sleep(0.5)
        assert_asleep(server)


@pytest.mark.parametrize(
    "count", [pytest.param(1000, id="1000"), pytest.param(10_000, id="10000", marks=pytest.mark.long)]
)
def test_idle_connections_are_small_and_silent(serve: Serve, count: int) -> None:
    server = serve(APP)
    with connections(server.address, 100, http_request()) as first:
        for connection in first:
            connection.read_response()
        before = own_memory(server)
        with connections(server.address, count, http_request()) as idle:
            for connection in idle:
                assert connection.read_response().body == b"hello"
            assert own_memory(server) - before <= 1 * KIB * count + 256 * KIB
            assert_asleep(server)
            if count >= 10_000:
                assert_nobody_waits(alone(serve), lambda: p99(server.address), 2.0)


def alone(serve: Serve) -> Callable[[], float]:
    """The same on a server that has nobody else."""
    server = serve(APP)
    return lambda: p99(server.address)


HUGE = {
    "line": (b"GET /" + b"a" * 1_000_000, 414),
    "field": (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 1_000_000, 431),
    "fields": (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: 1\r\n" * 20_000, 431),
}


@pytest.mark.parametrize(("head", "status"), HUGE.values(), ids=HUGE)
def test_huge_heads_leave_no_memory_behind(serve: Serve, head: bytes, status: int) -> None:
    server = serve(APP)
    before = 0
    for number in range(200):
        with Connection(server.address) as connection, suppress(ConnectionError):
            connection.send(head)
            assert connection.read_response().status == status
        # What the first ones warm up stays.
        before = own_memory(server) if number == 50 else before
    assert own_memory(server) - before <= 1024 * KIB


def test_10000_pipelined_requests_are_answered_in_order(server: Server) -> None:
    with Connection(server.address) as connection, ThreadPoolExecutor(1) as pool:
        requests = b"".join(http_request(target=f"/target?{number}") for number in range(10_000))
        sent = pool.submit(connection.send, requests)
        for number in range(10_000):
            assert connection.read_response().body == b"%d" % number
        sent.result()


def test_a_client_that_pipelines_without_end_starves_nobody(serve: Serve) -> None:
    """Of thousands of its requests that are there already, a handful is answered before somebody else's.

    They come while the worker is stopped: what it does first is not decided by who gets a processor when.
    """
    server = serve(APP, "--threads", "1")
    (worker,) = server.worker_pids()
    with Connection(server.address) as greedy, Connection(server.address) as other:
        greedy.send(CALL)
        last = int(greedy.read_response().body)
        greedy.socket.setblocking(False)
        sent = 0
        for _ in range(20):
            sent += fill(greedy.socket, CALL * 100, sent)
            os.kill(worker, signal.SIGSTOP)
            wait_until_stopped(worker)
            last = max([last, *(int(found) for found in re.findall(rb"\r\n\r\n(\d+)", drain(greedy.socket)))])
            sent += fill(greedy.socket, CALL * 100, sent)
            other.send(CALL)
            os.kill(worker, signal.SIGCONT)
            before = int(other.read_response().body) - last
            # Some were answered already, and their answers were on their way.
            assert before < 200, f"{before} requests of the greedy client came first"


CALL = http_request(target="/calls")


def drain(client: socket.socket) -> bytes:
    """All that has come."""
    received = bytearray()
    with suppress(BlockingIOError):
        while data := client.recv(1 << 20):
            received += data
    return bytes(received)


def fill(client: socket.socket, data: bytes, begun: int = 0) -> int:
    """Sends the same again and again until nothing more goes, from where it stopped before; how much went."""
    sent = 0
    with suppress(BlockingIOError):
        while True:
            sent += client.send(memoryview(data)[(begun + sent) % len(data) :])
    return sent


def test_a_client_that_pipelines_and_reads_nothing_pins_little(serve: Serve) -> None:
    server = serve(APP)
    count = 20
    before = own_memory(server)
    requests = http_request(target="/target?" + "x" * 1000) * 2000
    with ExitStack() as stack:
        greedy = [stack.enter_context(Connection(server.address)) for _ in range(count)]
        for connection in greedy:
            connection.socket.setblocking(False)
        until = time.monotonic() + 30.0
        sent = [0] * count
        while any(gone := [fill(one.socket, requests, begun) for one, begun in zip(greedy, sent)]):
            assert time.monotonic() < until, "they are read on and on"
            sent = [begun + further for begun, further in zip(sent, gone)]
            time.sleep(0.5)
        assert own_memory(server) - before <= 300 * KIB * count
        with Connection(server.address) as other:
            other.send(http_request())
            assert other.read_response().body == b"hello"
        assert_asleep(server)
