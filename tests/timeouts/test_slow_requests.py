"""`--slow-log` and `--queue-timeout`: requests that take long, and requests that wait long."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from tests.conftest import Serve

APP = "steps:application"


def test_a_slow_request_is_told_of_once_and_goes_on(serve: Serve) -> None:
    server = serve(APP, "--slow-log", "200ms")
    response = exchange(server.address, http_request(target="/sleep?seconds=1.2&token=secret"))
    assert response.body == b"slept 1.2"
    found = server.log.find(r"GET /sleep has run for 0\.\d s without an answer \(--slow-log\)")
    assert len(found) == 1
    assert server.log.find(r"time\.sleep\(float\(seconds\)\)")
    assert not server.log.find("secret.*--slow-log")


def test_a_stream_that_has_begun_is_not_slow(serve: Serve) -> None:
    server = serve(APP, "--slow-log", "500ms")
    assert exchange(server.address, http_request(target="/events?count=4&seconds=0.3")).status == 200
    assert not server.log.find("--slow-log")


def test_a_request_that_waits_too_long_is_refused(serve: Serve) -> None:
    server = serve(APP, "--threads", "2", "--queue-timeout", "300ms")
    with ExitStack() as stack:
        clients = [stack.enter_context(Connection(server.address)) for _ in range(6)]
        for client in clients:
            client.send(http_request(target="/sleep?seconds=1.5"))
        responses = [client.read_response() for client in clients]
    assert sorted(response.status for response in responses) == [200] * 2 + [503] * 4
    assert all(response.get("Retry-After") for response in responses if response.status == 503)
    assert exchange(server.address, http_request(target="/pid")).status == 200


def test_a_client_that_is_gone_costs_no_call(serve: Serve) -> None:
    """What the application would have done is not done: nobody waits for it."""
    server = serve(APP, "--threads", "1")
    with Connection(server.address) as slow:
        slow.send(http_request(target="/sleep?seconds=1"))
        slow.assert_silent(0.2)
        gone = [Connection(server.address) for _ in range(20)]
        for client in gone:
            client.send(http_request(target="/sleep?seconds=1"))
        time.sleep(0.2)
        for client in gone:
            client.reset()
        assert slow.read_response().body == b"slept 1"
        start = time.monotonic()
        assert exchange(server.address, http_request(target="/pid")).status == 200
        assert time.monotonic() - start < 5
