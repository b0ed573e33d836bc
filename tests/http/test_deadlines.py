"""Slow and silent clients are given up in time, also while every thread is busy (408, RFC 9110 §15.5.9)."""

from __future__ import annotations

import select
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.uwsgi_packet import uwsgi_request
from tests.wire import Connection, http_request

if TYPE_CHECKING:
    from tests.address import Address
    from tests.conftest import Serve
    from tests.process.conftest import Gates
    from tests.server import Server


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
        while time.monotonic() - start < 15.0:
            try:
                connection.send(b"a")
                connection.assert_silent(0.1)
            except (AssertionError, OSError):
                break
        assert 0.4 < time.monotonic() - start < 10.0


def test_an_idle_connection_is_closed(serve: Serve) -> None:
    server = serve("plain:application", "--keep-alive", "300ms")
    with Connection(server.address) as connection:
        connection.send(http_request())
        assert connection.read_response().body == b"hello"
        start = time.monotonic()
        connection.assert_closed()
        assert 0.2 < time.monotonic() - start < 8.0


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
    server = serve("plain:application", "--io-timeout", "300ms", "--log-level", "debug")
    with Connection(server.address) as stalled:
        stalled.send(http_request(target="/download?blocks=1000"))
        stalled.read_head()
        server.log.wait_for("the client stopped reading the answer")
        with pytest.raises((AssertionError, OSError)):
            stalled.read_exactly(60_000_000)


def test_408_is_sent_while_the_only_thread_is_busy(serve: Serve, gates: Gates) -> None:
    """By the loop, not after the application."""
    server = serve("steps:application", "--threads", "1", "--head-timeout", "300ms", env=gates.env)
    with Connection(server.address) as busy, Connection(server.address) as slow:
        busy.send(http_request(target="/gate?name=busy"))
        gates.wait_inside("busy")
        slow.send(b"GET /pid HTTP/1.1\r\n")
        assert slow.read_response().status == 408
        gates.open("busy")
        assert busy.read_response().body == b"opened busy"


def test_408_is_sent_while_the_application_holds_the_interpreter(serve: Serve) -> None:
    server = serve("steps:application", "--threads", "1", "--head-timeout", "300ms")
    with Connection(server.address) as busy, Connection(server.address) as slow:
        slow.send(b"GET /pid HTTP/1.1\r\n")
        busy.send(http_request(target="/spin?seconds=4"))
        assert slow.read_response().status == 408
        assert not select.select([busy.socket], [], [], 0)[0], "sent by the loop, not after the application"
        assert busy.read_response().body == b"spun"


def trickle(connection: Connection, seconds: float, every: float = 0.1) -> float:
    """Sends a byte now and then until an answer comes; the seconds that took."""
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        if select.select([connection.socket], [], [], every)[0]:
            break
        connection.send(b"1")
    return time.monotonic() - start


SLOWLY = [
    http_request("POST", "/echo", {"Content-Length": "1000000"}),
    http_request("POST", "/echo", {"Transfer-Encoding": "chunked"}) + b"fffff\r\n",
    uwsgi_request("POST", "/echo", body=b"1" * 60_000)[:-59_500],
]


@pytest.mark.parametrize("request_head", SLOWLY, ids=["sized", "chunked", "uwsgi"])
def test_a_trickled_body_gets_408(serve: Serve, request_head: bytes) -> None:
    server = serve("plain:application", "--min-rate", "5000", "--min-rate-after", "500ms")
    with Connection(server.address) as connection:
        connection.send(request_head)
        assert 0.4 < trickle(connection, 15.0) < 10.0
        assert connection.read_response().status == 408
        connection.assert_closed()
    server.log.wait_for("min-rate")


@pytest.mark.long
def test_by_default_a_body_has_ten_seconds_and_500_bytes_a_second(serve: Serve) -> None:
    server = serve("plain:application")
    with Connection(server.address) as slow, Connection(server.address) as steady:
        slow.send(SLOWLY[0])
        steady.send(http_request("POST", "/echo", {"Content-Length": "10000"}))
        sender = threading.Thread(target=send_steadily, args=(steady, 10_000, 600))
        sender.start()
        assert 10.0 <= trickle(slow, 20.0) < 15.0
        assert slow.read_response().status == 408
        sender.join()
        assert len(steady.read_response().body) == 10_000


def send_steadily(connection: Connection, length: int, rate: int) -> None:
    """Sends zeros, ten times a second."""
    for _ in range(0, length, rate // 10):
        connection.send(b"0" * min(rate // 10, length))
        length -= rate // 10
        time.sleep(0.1)


@pytest.mark.parametrize("target", ["/download?blocks=400", "/download?blocks=400&sized"])
def test_a_client_that_reads_too_slowly_is_cut_off(serve: Serve, target: str) -> None:
    """With a reset, so that a cut answer never looks whole."""
    server = serve(
        "plain:application", "--min-rate", "50000", "--min-rate-after", "500ms", "--log-level", "debug"
    )
    with narrow_connection(server.address) as connection:
        connection.send(http_request(target=target))
        start = time.monotonic()
        with pytest.raises(ConnectionResetError):
            read_slowly(connection, server)
        assert time.monotonic() - start > 0.4
        server.log.wait_for("too slowly")


def read_slowly(connection: Connection, server: Server) -> None:
    """Ten bytes now and then until the server says that it is too slow; then all that is left."""
    deadline = time.monotonic() + 30.0
    while not server.log.find("too slowly"):
        assert connection.socket.recv(10), "it looks whole"
        time.sleep(0.02)
        assert time.monotonic() < deadline
    connection.read_to_end()


def narrow_connection(address: Address) -> Connection:
    """One whose client's system holds next to nothing: all that it did not read is on the server's side."""
    connection = Connection(address)
    connection.socket.close()
    connection.socket = socket.socket()
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.socket.settimeout(10.0)
    connection.socket.connect((address.host, address.port))
    return connection


def test_events_now_and_then_are_not_slow(serve: Serve) -> None:
    """A stream that has nothing to say for longer than any limit."""
    server = serve(
        "steps:application", "--min-rate", "5000", "--min-rate-after", "300ms", "--io-timeout", "300ms"
    )
    with Connection(server.address) as connection:
        connection.send(http_request(target="/events?count=3&seconds=1"))
        assert connection.read_response().chunks == [b"event 0\n", b"event 1\n", b"event 2\n"]
