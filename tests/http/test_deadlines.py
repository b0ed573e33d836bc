"""Slow and silent clients are given up in time, also while every thread is busy (408, RFC 9110 §15.5.9)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.wire import Connection, http_request

if TYPE_CHECKING:
    from tests.conftest import Serve


def test_a_head_that_does_not_end_gets_408(serve: Serve) -> None:
    server = serve("plain:application", "--head-timeout", "300ms")
    mark = server.log.mark()
    with Connection(server.address) as connection:
        connection.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
        assert connection.read_response().status == 408
        connection.assert_closed()
    server.log.wait_for("(?i)408|timeout|time-out|in time", mark)


def test_a_trickled_head_gets_408(serve: Serve) -> None:
    """The time counts from the head's first byte, whatever still comes."""
    server = serve("plain:application", "--head-timeout", "500ms")
    start = time.monotonic()
    with Connection(server.address) as connection:
        connection.send(b"GET / HTTP/1.1\r\nX-A: ")
        while time.monotonic() - start < 3.0:
            try:
                connection.send(b"a")
                connection.assert_silent(0.1)
            except (AssertionError, OSError):
                break
        assert 0.4 < time.monotonic() - start < 2.0


def test_an_idle_connection_is_closed(serve: Serve) -> None:
    server = serve("plain:application", "--keep-alive", "300ms")
    with Connection(server.address) as connection:
        connection.send(http_request())
        assert connection.read_response().body == b"hello"
        start = time.monotonic()
        connection.assert_closed()
        assert 0.2 < time.monotonic() - start < 2.0


def test_keep_alive_0_closes_after_each_answer(serve: Serve) -> None:
    server = serve("plain:application", "--keep-alive", "0")
    with Connection(server.address) as connection:
        connection.send(http_request())
        response = connection.read_response()
        assert (response.body, response.closes) == (b"hello", True)
        connection.assert_closed()


def test_a_body_that_stops_coming_is_given_up(serve: Serve) -> None:
    server = serve("plain:application", "--io-timeout", "300ms")
    with Connection(server.address) as connection:
        connection.send(http_request("POST", "/echo", {"Content-Length": "10"}) + b"12345")
        assert connection.read_response().status == 408
        connection.assert_closed()


def test_a_client_that_stops_reading_is_given_up(serve: Serve) -> None:
    server = serve("plain:application", "--io-timeout", "300ms")
    with Connection(server.address) as stalled:
        stalled.send(http_request(target="/download?blocks=1000"))
        stalled.read_head()
        time.sleep(1.5)
        with pytest.raises((AssertionError, OSError)):
            stalled.read_exactly(60_000_000)


def test_408_is_sent_while_the_only_thread_is_busy(serve: Serve) -> None:
    server = serve("steps:application", "--threads", "1", "--head-timeout", "300ms")
    with Connection(server.address) as busy, Connection(server.address) as slow:
        busy.send(http_request(target="/sleep?seconds=1.5"))
        slow.send(b"GET /pid HTTP/1.1\r\n")
        start = time.monotonic()
        assert slow.read_response().status == 408
        assert time.monotonic() - start < 1.2, "sent by the loop, not after the application"
        assert busy.read_response().body == b"slept 1.5"


def test_408_is_sent_while_the_application_holds_the_interpreter(serve: Serve) -> None:
    server = serve("steps:application", "--threads", "1", "--head-timeout", "300ms")
    with Connection(server.address) as busy, Connection(server.address) as slow:
        slow.send(b"GET /pid HTTP/1.1\r\n")
        busy.send(http_request(target="/spin?seconds=1.5"))
        start = time.monotonic()
        assert slow.read_response().status == 408
        assert time.monotonic() - start < 1.2
        assert busy.read_response().body == b"spun"
