"""`--request-timeout`: the request ends, the server does not."""

from __future__ import annotations

import re
import time
from collections import Counter
from contextlib import ExitStack
from select import select
from typing import TYPE_CHECKING

import pytest

from tests.server import wait_gone
from tests.wire import Connection, Truncated, exchange, http_request

if TYPE_CHECKING:
    from tests.conftest import Serve
    from tests.server import Server

APP = "stuck:application"
LIMIT = ("--request-timeout", "500ms")
#: A thread that stays away does so for longer than any test takes.
PATIENT = (*LIMIT, "--timeout-grace", "1h")
IMPATIENT = (*LIMIT, "--timeout-grace", "200ms", "--graceful-timeout", "5s")

STUCK = {
    "/sleep": "time.sleep(60)",
    "/lock": "with HELD",
    "/spin": "while True:",
    "/swallow": "in swallow",
    "/keep": "in keep_the_lock",
}


def get(server: Server, target: str) -> str:
    response = exchange(server.address, http_request(target=target))
    assert response.status == 200
    return response.body.decode()


def wait_for_note(server: Server, note: str) -> None:
    deadline = time.monotonic() + 20
    while note not in get(server, "/notes"):
        assert time.monotonic() < deadline, f"{note} never came"
        time.sleep(0.02)


@pytest.mark.parametrize("path", ["/sleep", "/lock", "/keep"])
def test_the_only_thread_is_stuck(serve: Serve, path: str) -> None:
    assert_ended(serve(APP, *PATIENT, "--threads", "1"), path)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stuck_request_is_answered_and_its_stack_logged(serve: Serve, workers: int) -> None:
    """One after the other, so that those before still are where they were."""
    server = serve(APP, *PATIENT, "--workers", str(workers), "--threads", "5")
    for path in STUCK:
        assert_ended(server, path)


def assert_ended(server: Server, path: str) -> None:
    mark = server.log.mark()
    start = time.monotonic()
    response = exchange(server.address, http_request(target=path))
    assert (response.status, response.closes) == (504, True)
    assert 0.45 < time.monotonic() - start < 10
    found = server.log.wait_for(rf"GET {path} has run for (\d+\.\d) s, too long.*504", mark)
    assert float(found[1]) >= 0.5
    server.log.wait_for(re.escape(STUCK[path]), mark)


@pytest.mark.parametrize("threads", [1, 4])
def test_a_thread_that_can_be_interrupted_comes_back(serve: Serve, threads: int) -> None:
    """As often as it takes: the worker stays, and all its threads."""
    server = serve(APP, *PATIENT, "--threads", str(threads))
    pid = get(server, "/pid")
    for _ in range(threads + 1):
        assert exchange(server.address, http_request(target="/spin")).status == 504
    wait_for_note(server, "spin ended by RequestTimeout")
    assert get(server, "/pid") == pid
    assert not server.log.find(r"failed: answered with 500|Traceback")


def test_other_requests_go_on_beside_a_stuck_one(serve: Serve) -> None:
    server = serve(APP, *PATIENT, "--threads", "2")
    for path in ("/sleep", "/spin"):
        with Connection(server.address) as stuck:
            stuck.send(http_request(target=path))
            while not select([stuck.socket], [], [], 0)[0]:
                assert get(server, "/pid")
            assert stuck.read_response().status == 504


def test_other_workers_serve_while_one_keeps_the_interpreters_lock(serve: Serve) -> None:
    """Clients of the stuck worker too: those that are between requests, and new ones."""
    server = serve(APP, "--workers", "2", "--threads", "2")
    with ExitStack() as stack:
        clients = [stack.enter_context(Connection(server.address)) for _ in range(10)]
        for client in clients:
            client.send(http_request(target="/pid"))
            assert client.read_response().status == 200
        stuck = stack.enter_context(Connection(server.address))
        stuck.send(http_request(target="/keep?seconds=6"))
        stuck.assert_silent(0.3)
        for client in clients:
            client.send(http_request(target="/pid"))
            assert client.read_response().status == 200
        for _ in range(20):
            assert get(server, "/pid")
        assert not select([stuck.socket], [], [], 0)[0], "they waited until the lock came back"
        assert stuck.read_response().body == b"kept"


def test_an_answer_that_has_begun_is_cut(serve: Serve) -> None:
    server = serve(APP, *PATIENT)
    with pytest.raises((Truncated, ConnectionError)):
        exchange(server.address, http_request(target="/midway"))
    server.log.wait_for(r"GET /midway .*cut in the middle of its answer")


def test_an_answer_is_whole_although_close_does_not_end(serve: Serve) -> None:
    server = serve(APP, *PATIENT, "--threads", "1")
    assert get(server, "/at-the-end") == "whole"
    server.log.wait_for(r"GET /at-the-end .*it was answered before")
    assert get(server, "/pid")


def test_a_stream_that_says_something_lives(serve: Serve) -> None:
    server = serve(APP, "--request-timeout", "2s")
    body = get(server, "/events?count=8&seconds=0.3")
    assert body == "".join(f"event {number}\n" for number in range(8))


def test_time_in_the_queue_does_not_count(serve: Serve) -> None:
    server = serve(APP, "--request-timeout", "2s", "--threads", "1")
    with ExitStack() as stack:
        waiting = [stack.enter_context(Connection(server.address)) for _ in range(4)]
        for connection in waiting:
            connection.send(http_request(target="/barely?seconds=0.6"))
        assert [connection.read_response().status for connection in waiting] == [200] * 4


@pytest.mark.parametrize(("path", "threads"), [("/sleep", 3), ("/keep", 3), ("/swallow", 1)])
def test_a_worker_whose_thread_stays_away_is_replaced(serve: Serve, path: str, threads: int) -> None:
    server = serve(APP, *IMPATIENT, "--threads", str(threads))
    old = server.worker_pids()
    mark = server.log.mark()
    assert exchange(server.address, http_request(target=path)).status == 504
    server.log.wait_for(r"does not end after its time-out \(--timeout-grace\)", mark)
    wait_gone(old, 40)
    assert int(get(server, "/pid")) not in old


def test_the_exception_never_reaches_the_next_request(serve: Serve) -> None:
    """Requests that end at about the moment of their time-out, on threads that serve others at once."""
    server = serve(APP, "--request-timeout", "100ms", "--timeout-grace", "1h", "--threads", "3")
    seen: Counter[int] = Counter()
    with ExitStack() as stack:
        clients = [stack.enter_context(Connection(server.address)) for _ in range(3)]
        for round_ in range(40):
            targets = [f"/barely?seconds={0.095 + round_ % 8 / 1000}&n={round_}.{n}" for n in range(3)]
            for client, target in zip(clients, targets):
                client.send(http_request(target=target))
            for place, (client, target) in enumerate(zip(clients, targets)):
                response = client.read_response()
                seen[response.status] += 1
                if response.status == 504:
                    client.assert_closed()
                    clients[place] = stack.enter_context(Connection(server.address))
                else:
                    assert response.body.decode() == target.partition("?")[2]
            # On a busy machine its time may be over as well.
            seen[exchange(server.address, http_request(target="/pid")).status] += 1
    assert set(seen) == {200, 504}, seen
    assert not server.log.find(r"failed: answered with 500|Traceback")
