"""Clients that reset or close in the middle of everything: no traceback, no descriptor left, `close()` once each (F22, F23)."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from tests.kernel import assert_asleep
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Serve
    from tests.server import Server

APP = "iterables:application"


def sizes(few: int, many: int) -> pytest.MarkDecorator:
    """Few in every run, many in the long one."""
    long = pytest.param(many, id=str(many), marks=[pytest.mark.long, pytest.mark.timeout(600)])
    return pytest.mark.parametrize("count", [pytest.param(few, id=str(few)), long])


def descriptors(server: Server) -> int:
    (worker,) = server.worker_pids()
    return len(os.listdir(f"/proc/{worker}/fd"))


def in_the_head(connection: Connection, name: str) -> None:
    connection.send(f"GET /endless?id={name} HTTP/1.1\r\nHost: ".encode())


def in_the_body(connection: Connection, name: str) -> None:
    connection.send(http_request("POST", f"/endless?id={name}", {"Content-Length": "100000"}) + b"x" * 70_000)


def before_the_answer(connection: Connection, name: str) -> None:
    connection.send(http_request(target=f"/endless?id={name}") * 2)


def in_the_answer(connection: Connection, name: str) -> None:
    connection.send(http_request(target=f"/endless?id={name}"))
    connection.read_head()


PLACES: list[Callable[[Connection, str], None]] = [in_the_head, in_the_body, before_the_answer, in_the_answer]


def times_closed(server: Server, name: str) -> int:
    return int(exchange(server.address, http_request(target=f"/closed?id={name}")).body)


@sizes(500, 10_000)
def test_resets_leave_nothing_behind(serve: Serve, count: int) -> None:
    server = serve(APP)
    exchange(server.address, http_request(target="/ping"))
    before, mark = descriptors(server), server.log.mark()
    for number in range(count):
        with Connection(server.address) as connection:
            PLACES[number % len(PLACES)](connection, str(number))
            connection.reset()
        if number % 50 == 0:
            assert exchange(server.address, http_request(target="/ping")).body == b"pong"
    for number in range(3, count, len(PLACES)):
        assert times_closed(server, str(number)) == 1, f"request {number}"
    deadline = time.monotonic() + 20.0
    while abs(descriptors(server) - before) > 2:
        assert time.monotonic() < deadline, f"{before} descriptors before, {descriptors(server)} after"
        time.sleep(0.05)
    assert server.log.find(r"\[(error|warning)\]", mark) == []
    assert_asleep(server)


@sizes(50, 1000)
@pytest.mark.parametrize("how", ["reset", "close"])
def test_close_runs_within_a_second_of_a_client_that_leaves_a_stream(
    serve: Serve, count: int, how: str
) -> None:
    """While the application yields."""
    server = serve(APP)
    waits: list[float] = []
    for number in range(count):
        with Connection(server.address) as connection:
            in_the_answer(connection, str(number))
            left = time.monotonic()
            if how == "reset":
                connection.reset()
            else:
                connection.close()
        assert times_closed(server, str(number)) == 1
        waits.append(time.monotonic() - left)
    # Some may have met something else that this machine does.
    assert sorted(waits)[-1 - count // 10] < 1.0, sorted(waits)


@sizes(20, 500)
def test_close_runs_once_when_an_idle_stream_is_resumed(serve: Serve, count: int) -> None:
    """A generator that waits for something learns of it at its next item, or the one after: the first may still fit
    into the socket."""
    server = serve(APP, "--threads", "4")
    for number in range(count):
        with Connection(server.address) as connection:
            connection.send(http_request(target=f"/stepped?id={number}&count=1000"))
            connection.read_head()
            connection.reset()
        for _ in range(3):
            exchange(server.address, http_request(target=f"/release?id={number}"))
        assert times_closed(server, str(number)) == 1
