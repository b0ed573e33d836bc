"""Clients that read a large answer slowly, or not at all: the upstream is done as soon as it has said all."""

from __future__ import annotations

import gzip
import os
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Callable

import pytest

from tests.control.operator import Operator
from tests.front.http2_frames import END_HEADERS, HELLO, WINDOW_UPDATE, Http2, frame
from tests.server import Server
from tests.upstreams.backend import OK, Backend
from tests.wire import Connection, Truncated, exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.address import Address

Front = Callable[..., Server]

#: More than the buffers of all sockets on the way hold.
LARGE = b"".join(number.to_bytes(8, "big") for number in range(1 << 22))
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
SIZED = HEAD + b"Content-Length: %d\r\n\r\n" % len(LARGE)


def pages(large: bytes) -> Callable[[bytes, bytes, socket.socket], bytes]:
    """A large answer, and a small one for other paths."""
    return lambda head, _body, _connection: large if head.startswith(b"GET /large ") else OK


def in_chunks(data: bytes) -> bytes:
    pieces = [data[start : start + 100_000] for start in range(0, len(data), 100_000)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def slow_reader(address: Address) -> Connection:
    """A client that has asked for the large answer, and read no more than its head."""
    connection = Connection(address, timeout=60)
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
    connection.send(http_request("GET", "/large"))
    return connection


def status_once(operator: Operator, holds: Callable[[dict[str, Any]], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds(found := operator.status()):
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


@pytest.mark.parametrize(
    "said",
    [
        SIZED + LARGE,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + in_chunks(LARGE),
        HEAD + b"Connection: close\r\n\r\n" + LARGE,
    ],
    ids=["sized", "chunked", "until-close"],
)
def test_a_slow_reader_holds_no_slot(front: Front, said: bytes) -> None:
    with Backend(pages(said)) as backend:
        server = front([f"{backend.url} slots=1"], "--queue-timeout", "30s")
        with slow_reader(server.address) as slow:
            head = slow.read_head()
            # There is one slot.
            assert exchange(server.address, http_request("GET", "/"), timeout=60).body == b"ok"
            slow.read_body(head)
            assert head.body == LARGE


def test_a_connection_is_free_before_its_client_has_all(front: Front) -> None:
    with Backend(pages(SIZED + LARGE)) as backend:
        server = front([f"{backend.url} slots=1"], "--queue-timeout", "30s")
        with slow_reader(server.address) as slow:
            head = slow.read_head()
            assert exchange(server.address, http_request("GET", "/"), timeout=60).body == b"ok"
            slow.read_body(head)
            assert head.body == LARGE
            slow.send(http_request("GET", "/"))
            assert slow.read_response().body == b"ok"
        assert backend.connections == 1


def test_a_uwsgi_upstream_is_free_too(front: Front) -> None:
    with Server.start("plain:application", "--bind", "127.0.0.1:0", "--threads", "2") as upstream:
        server = front([f"uwsgi://{upstream.address} slots=1"], "--queue-timeout", "30s")
        with Connection(server.address, timeout=60) as slow:
            slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
            slow.send(http_request("GET", "/download?blocks=512"))
            head = slow.read_head()
            assert exchange(server.address, http_request("GET", "/"), timeout=60).status == 200
            slow.read_body(head)
            assert len(head.body) == 512 * 65536


def test_what_is_on_disk_is_counted_and_given_back(front: Front, tmp_path: Path) -> None:
    with Backend(pages(SIZED + LARGE)) as backend:
        path = tmp_path / "control"
        options = ("--control-socket", str(path), "--temp-dir", str(tmp_path))
        operator = Operator(front([f"{backend.url} slots=1"], *options), path)
        with slow_reader(operator.server.address) as slow:
            head = slow.read_head()
            status_once(operator, lambda found: found["totals"]["spooled"] > 1 << 20)
            assert "on disk" in operator.say("status")
            slow.read_body(head)
            assert head.body == LARGE
            status_once(operator, lambda found: found["totals"]["spooled"] == 0)
        with slow_reader(operator.server.address) as slow:
            slow.read_head()
            status_once(operator, lambda found: found["totals"]["spooled"] > 1 << 20)
        status_once(operator, lambda found: found["totals"]["spooled"] == 0)


@pytest.mark.parametrize(
    ("field", "options"),
    [(b"", ("--spool-max", "64KiB")), (b"X-Accel-Buffering: no\r\n", ())],
    ids=["no budget", "unbuffered"],
)
def test_without_a_spool_the_upstream_waits(front: Front, field: bytes, options: tuple[str, ...]) -> None:
    said = HEAD + field + b"Content-Length: %d\r\n\r\n" % len(LARGE) + LARGE
    with Backend(pages(said)) as backend:
        server = front([f"{backend.url} slots=1"], "--queue-timeout", "300ms", *options)
        with slow_reader(server.address) as slow:
            head = slow.read_head()
            assert exchange(server.address, http_request("GET", "/")).status == 503
            slow.read_body(head)
            assert head.body == LARGE
        assert exchange(server.address, http_request("GET", "/")).body == b"ok"


def test_a_disk_that_fails_is_said_and_nothing_else_fails(front: Front, tmp_path: Path) -> None:
    place = tmp_path / "gone"
    place.mkdir()
    with Backend(pages(SIZED + LARGE)) as backend:
        server = front([backend.url], "--temp-dir", str(place))
        place.rmdir()
        with slow_reader(server.address) as slow:
            head = slow.read_head()
            server.log.wait_for("answers cannot be put into files")
            slow.read_body(head)
            assert head.body == LARGE


def test_who_left_is_not_answered_further(front: Front) -> None:
    ended = threading.Event()

    def endless(_head: bytes, _body: bytes, connection: socket.socket) -> bytes:
        with suppress(OSError):
            connection.sendall(HEAD + b"X-Accel-Buffering: no\r\nConnection: close\r\n\r\n")
            while True:
                connection.sendall(b"x" * 65536)
        ended.set()
        return b""

    with Backend(endless) as backend:
        slow = slow_reader(front([backend.url]).address)
        slow.read_head()
        slow.reset()
        assert ended.wait(30)


def test_what_came_before_a_failure_arrives(front: Front) -> None:
    def half(_head: bytes, _body: bytes, connection: socket.socket) -> bytes:
        connection.sendall(SIZED + LARGE[: 20 << 20])
        return b""

    with Backend(half) as backend:
        server = front([f"{backend.url} slots=1"])
        with slow_reader(server.address) as slow:
            slow.read_head()
            server.log.wait_for("was cut off")
            with pytest.raises(Truncated) as found:
                slow.read_exactly(len(LARGE))
            assert found.value.body == LARGE[: 20 << 20]


def test_compressed_answers_too(front: Front) -> None:
    noise = os.urandom(6 << 20)
    said = HEAD + b"Content-Length: %d\r\n\r\n" % len(noise) + noise
    with Backend(pages(said)) as backend:
        server = front([f"{backend.url} slots=1"], "--compress", "gzip", "--queue-timeout", "60s")
        with Connection(server.address, timeout=60) as slow:
            slow.send(http_request("GET", "/large", {"Accept-Encoding": "gzip"}))
            assert exchange(server.address, http_request("GET", "/"), timeout=60).body == b"ok"
            response = slow.read_response()
            assert response.get("Content-Encoding") == "gzip"
            assert gzip.decompress(response.body) == noise


def test_a_client_of_http2_holds_no_slot(front: Front) -> None:
    part = LARGE[: 4 << 20]
    with Backend(pages(HEAD + b"Content-Length: %d\r\n\r\n" % len(part) + part)) as backend:
        server = front([f"{backend.url} slots=1"], "--queue-timeout", "60s")
        with Http2(server.address) as slow:
            slow.socket.settimeout(60)
            fields = {**dict(HELLO), ":path": "/large"}
            slow.request(1, fields.items())
            assert slow.answer(until=END_HEADERS).status == 200
            assert exchange(server.address, http_request("GET", "/"), timeout=60).body == b"ok"
            for stream in (0, 1):
                slow.send(frame(WINDOW_UPDATE, stream=stream, payload=(1 << 30).to_bytes(4, "big")))
            assert slow.answer().body == part


def test_pieces_arrive_at_once_behind_a_large_one(front: Front) -> None:
    """A stream goes on piece by piece after its client was behind."""
    seen = threading.Event()

    def stream(_head: bytes, _body: bytes, connection: socket.socket) -> bytes:
        connection.sendall(
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + in_chunks(LARGE)[: -len(b"0\r\n\r\n")]
        )
        for _ in range(3):
            assert seen.wait(30)
            seen.clear()
            connection.sendall(b"8\r\ndata: x\n\r\n")
        return b"0\r\n\r\n"

    with Backend(stream) as backend, slow_reader(front([backend.url]).address) as slow:
        slow.read_head()
        body = bytearray()
        while len(body) < len(LARGE):
            body += slow.read_chunk()
        assert body == LARGE
        for _ in range(3):
            seen.set()
            assert slow.read_chunk() == b"data: x\n"
        assert slow.read_chunk() == b""
