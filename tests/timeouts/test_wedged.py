"""Workers in which nothing moves, without a time-out for requests: `--gil-timeout` and `--stall-timeout` (F06, F37)."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.server import wait_gone
from tests.wire import Connection, Truncated, exchange, http_request

if TYPE_CHECKING:
    from tests.conftest import Serve
    from tests.server import Server

APP = "stuck:application"
REPLACED = r"this worker is to be replaced"


def clients(stack: ExitStack, server: Server, count: int) -> dict[Connection, int]:
    """Clients that are between requests, and the worker of each."""
    opened = [stack.enter_context(Connection(server.address, timeout=30.0)) for _ in range(count)]
    return {client: pid(client) for client in opened}


def pid(client: Connection) -> int:
    client.send(http_request(target="/pid"))
    return answer(client)


def answer(client: Connection) -> int:
    response = client.read_response()
    assert response.status == 200
    return int(response.body)


def assert_cut(client: Connection) -> None:
    """What a thread has that cannot run is lost with its worker, and its client is told by the end of the connection."""
    with pytest.raises((Truncated, ConnectionError, AssertionError)):
        client.read_response()


def test_a_worker_whose_lock_is_kept_is_replaced_and_the_other_serves(serve: Serve) -> None:
    server = serve(APP, "--workers", "2", "--threads", "2", "--gil-timeout", "4s")
    with ExitStack() as stack:
        kept = clients(stack, server, 12)
        stuck, wedged = next(iter(kept.items()))
        start = time.monotonic()
        stuck.send(http_request(target="/keep"))
        slowest = 0.0
        others = [client for client in kept if client is not stuck]
        while not server.log.find(REPLACED):
            for client in others:
                before = time.monotonic()
                assert pid(client)
                slowest = max(slowest, time.monotonic() - before)
            assert time.monotonic() - start < 40
        assert time.monotonic() - start > 2
        wait_gone([wedged], 30)
        assert_cut(stuck)
        assert {pid(client) for client in others}.isdisjoint({wedged})
    assert slowest < 3.5
    assert server.log.find(r"has kept the interpreter's lock for \d+\.\d s \(--gil-timeout\)")
    assert server.log.find(r"in GET /keep for \d+\.\d s; natively waiting")
    assert server.log.find(r"in keep_the_lock")


@pytest.mark.parametrize("threads", ["1", "3"])
def test_requests_behind_a_lock_that_is_kept_are_answered_by_the_successor(
    serve: Serve, threads: str
) -> None:
    """Those that wait in the only worker, and those that come."""
    server = serve(APP, "--threads", threads, "--gil-timeout", "1s")
    with ExitStack() as stack:
        kept = clients(stack, server, 5)
        (wedged,) = set(kept.values())
        stuck = stack.enter_context(Connection(server.address, timeout=30.0))
        stuck.send(http_request(target="/keep"))
        stuck.assert_silent(0.2)
        late = [stack.enter_context(Connection(server.address, timeout=30.0)) for _ in range(5)]
        for client in (*kept, *late):
            client.send(http_request(target="/pid"))
        (successor,) = {answer(client) for client in (*kept, *late)}
        assert successor != wedged
        assert_cut(stuck)
        assert {pid(client) for client in (*kept, *late)} == {successor}
        wait_gone([wedged], 30)
    assert len(server.log.find(REPLACED)) == 1


def test_a_lock_that_comes_back_costs_nothing(serve: Serve) -> None:
    server = serve(APP, "--threads", "2", "--gil-timeout", "5s")
    with ExitStack() as stack:
        kept = clients(stack, server, 3)
        stuck, *others = kept
        stuck.send(http_request(target="/keep?seconds=1"))
        for client in others:
            client.send(http_request(target="/pid"))
        assert stuck.read_response().body == b"kept"
        assert {answer(client) for client in others} == set(kept.values())
    assert not server.log.find(REPLACED)


@pytest.mark.parametrize("threads", ["1", "3"])
def test_a_worker_that_is_stopped_or_busy_is_not_wedged(serve: Serve, threads: str) -> None:
    """Stopped while idle and in the middle of a call, a sleep, Python code that computes, and many short requests."""
    server = serve(APP, "--threads", threads, "--gil-timeout", "1s", "--stall-timeout", "4s")
    (worker,) = server.worker_pids()
    with ExitStack() as stack:
        one, other = clients(stack, server, 2)
        for request in (None, "/barely?seconds=0.2", "/keep?seconds=0.2"):
            if request is not None:
                one.send(http_request(target=request))
                one.assert_silent(0.1)
            os.kill(worker, signal.SIGSTOP)
            other.send(http_request(target="/pid"))
            time.sleep(1.5)
            os.kill(worker, signal.SIGCONT)
            if request is not None:
                assert one.read_response().status == 200
            assert answer(other) == worker
        one.send(http_request(target="/barely?seconds=2"))
        other.send(http_request(target="/pid"))
        assert one.read_response().status == 200
        assert answer(other) == worker
        until = time.monotonic() + 2
        while time.monotonic() < until:
            assert pid(one) == pid(other) == worker
    assert not server.log.find(REPLACED)


def test_a_deadlock_of_all_threads_is_found(serve: Serve) -> None:
    """Requests that wait go to the successor; the others have the time of a drain."""
    server = serve(APP, "--threads", "2", "--stall-timeout", "1s", "--graceful-timeout", "1s")
    (worker,) = server.worker_pids()
    with ExitStack() as stack:
        stuck = [stack.enter_context(Connection(server.address, timeout=30.0)) for _ in range(2)]
        for client in stuck:
            client.send(http_request(target="/lock"))
        stuck[0].assert_silent(2.0)
        assert not server.log.find(REPLACED), "nobody waits for them"
        late = [stack.enter_context(Connection(server.address, timeout=30.0)) for _ in range(5)]
        for client in late:
            client.send(http_request(target="/pid"))
        (successor,) = {answer(client) for client in late}
        assert successor != worker
        for client in stuck:
            assert_cut(client)
        wait_gone([worker], 20)
        assert exchange(server.address, http_request(target="/pid")).status == 200
    assert server.log.find(r"5 requests wait and none has got on for \d+\.\d s \(--stall-timeout\)")
    assert server.log.find(r"in lock$")
    assert len(server.log.find(REPLACED)) == 1
