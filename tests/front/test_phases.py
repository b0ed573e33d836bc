"""Each phase of a request through the front has a time of its own: who is slower gets the answer that is due, or the end, and
the log says which option it was. Idle connections, slow heads and readers that stop are in test_life.py; upstreams that are
silent in tests/upstreams/test_failures.py.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Callable

import pytest

from tests.front.certificates import Authority
from tests.server import Server
from tests.upstreams.backend import Backend
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Starts a server with these options.
Start = Callable[..., Server]

LARGE = b"x" * (16 << 20)


@pytest.fixture(params=["workers", "upstream"])
def start(request: pytest.FixtureRequest) -> Iterator[Start]:
    """Both ways in which the front passes requests on."""
    started: list[Server] = []
    backend = Backend(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(LARGE) + LARGE)

    def one(*options: str) -> Server:
        workers = ("plain:application", "--deny", "192.0.2.66")
        first = workers if request.param == "workers" else ("front", "--upstream", backend.url)
        started.append(Server.start(*first, *options))
        return started[-1]

    yield one
    for server in started:
        server.close()
    backend.close()


def send_until_refused(connection: Connection, data: bytes, refused: threading.Event) -> None:
    """Sends again and again, until the server has had enough."""
    with suppress(OSError):
        while not refused.wait(0.05):
            connection.send(data)


def test_a_new_connection_without_a_word_is_closed(start: Start) -> None:
    server = start("--head-timeout", "300ms")
    with Connection(server.address) as connection:
        connection.assert_closed()


@pytest.mark.parametrize("head", [b"G", b"GET / HTTP/1.1\r\nHost: a\r\n"])
def test_a_head_that_does_not_end_gets_408(start: Start, head: bytes) -> None:
    server = start("--head-timeout", "300ms")
    with Connection(server.address) as connection:
        connection.send(head)
        assert connection.read_response().status == 408
        connection.assert_closed()
    server.log.wait_for(r"refused with 408: .*\(--head-timeout\)")


@pytest.mark.parametrize("piece", [b"x: y\r\n", b"x"])
def test_a_head_that_trickles_gets_408(start: Start, piece: bytes) -> None:
    """The time counts from the first byte, whatever still comes."""
    server = start("--head-timeout", "500ms")
    with Connection(server.address) as connection:
        connection.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
        refused = threading.Event()
        sender = threading.Thread(target=send_until_refused, args=(connection, piece, refused))
        sender.start()
        assert connection.read_response().status == 408
        refused.set()
        sender.join()


def test_a_proxy_header_that_does_not_end_gets_408(start: Start) -> None:
    server = start("--head-timeout", "300ms", "--proxy-protocol", "auto")
    with Connection(server.address) as connection:
        connection.send(b"PROXY TCP4 192.0.2.1 ")
        assert connection.read_response().status == 408


def test_a_proxy_header_before_tls_that_does_not_end_is_told_of(tmp_path: Path) -> None:
    options = Authority(tmp_path).sign("localhost", "localhost").options
    times = ("--head-timeout", "300ms", "--proxy-protocol", "auto", "--state-dir", str(tmp_path))
    with Server.start("plain:application", *options, *times) as server:
        with Connection(server.address) as connection:
            connection.send(b"PROXY TCP4 192.0.2.1 ")
            connection.assert_closed()
        server.log.wait_for(r"127.0.0.1:\d+: the PROXY header took too long \(--head-timeout\)")
        with Connection(server.address) as connection:
            connection.send(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n\x16\x03\x01")
            connection.assert_closed()
        server.log.wait_for(r"192.0.2.1:1: the TLS handshake took too long \(--head-timeout\)")


BODIES = [
    http_request("POST", "/echo", {"Content-Length": "1000"}) + b"12345",
    http_request("POST", "/echo", {"Transfer-Encoding": "chunked"}) + b"fff\r\n12345",
    http_request("POST", "/echo", {"Content-Length": "1000000"}) + b"12345",
]


@pytest.mark.parametrize("request_", BODIES, ids=["length", "chunked", "large"])
def test_a_body_that_stops_coming_gets_408(start: Start, request_: bytes) -> None:
    server = start("--io-timeout", "300ms")
    with Connection(server.address) as connection:
        connection.send(request_)
        assert connection.read_response("POST").status == 408
        connection.assert_closed()
    server.log.wait_for(r"408.*\(--io-timeout\)")


@pytest.mark.parametrize("request_", BODIES, ids=["length", "chunked", "large"])
def test_a_body_that_trickles_gets_408(start: Start, request_: bytes) -> None:
    server = start("--min-rate", "10000", "--min-rate-after", "300ms")
    with Connection(server.address) as connection:
        connection.send(request_)
        refused = threading.Event()
        sender = threading.Thread(target=send_until_refused, args=(connection, b"1", refused))
        sender.start()
        assert connection.read_response("POST").status == 408
        refused.set()
        sender.join()
    server.log.wait_for(r"408.*\(--min-rate\)")


@pytest.mark.parametrize("option", [("--io-timeout", "300ms"), ("--min-rate", "1000000")])
def test_a_client_that_does_not_read_is_cut_off(start: Start, option: tuple[str, str]) -> None:
    server = start(*option, "--min-rate-after", "300ms", "--log-level", "debug")
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect((server.address.host, server.address.port))
        slow.sendall(http_request(target="/download?blocks=1000"))
        server.log.wait_for(
            rf"127.0.0.1:{slow.getsockname()[1]}: an answer was not sent to its end: .*{option[0]}"
        )


def test_what_is_refused_is_heard_to_its_end(start: Start) -> None:
    """The client still sends when it is refused: it gets the answer, and no reset that would take it away."""
    server = start("--max-body", "1000")
    with Connection(server.address) as connection:
        connection.send(http_request("POST", "/echo", {"Content-Length": "3000000"}))
        with suppress(ConnectionError):
            connection.send(b"x" * 3_000_000)
        assert connection.read_response("POST").status == 413
        connection.assert_closed()


def test_an_upstream_that_takes_no_connection_is_504() -> None:
    """Its queue is full, so that the system answers nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        place = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            with suppress(BlockingIOError):
                one.connect(place)
        options = ("--upstream", f"http://127.0.0.1:{place[1]}", "--connect-timeout", "300ms", "--hold", "0")
        with Server.start("front", *options) as server:
            assert exchange(server.address, http_request()).status == 504
            server.log.wait_for(r"refused with 504: .*\(--connect-timeout\)")
        for one in waiting:
            one.close()


def test_an_upstream_without_an_answer_is_504_and_told_of() -> None:
    over = threading.Event()

    def wait(_head: bytes, _body: bytes, _connection: socket.socket) -> bytes:
        over.wait(10)
        return b""

    options = ("--answer-timeout", "300ms")
    with Backend(wait) as backend, Server.start("front", "--upstream", backend.url, *options) as server:
        assert exchange(server.address, http_request("POST", body=b"x"), "POST").status == 504
        server.log.wait_for(r"refused with 504: .*\(--answer-timeout\)")
        over.set()
