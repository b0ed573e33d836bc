"""WebSocket (RFC 6455) through `tapster front`: a real server behind it, real clients before it, and bytes where it matters."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import ssl
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.sync.server import serve as serve_websockets

from tests.front.certificates import Authority
from tests.server import Server
from tests.upstreams.test_renewal import Operated
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http import HTTPStatus
    from pathlib import Path

    from websockets.http11 import Request, Response
    from websockets.sync.server import ServerConnection

    Front = Callable[..., Server]

KEY = base64.b64encode(b"0123456789abcdef").decode()
ASK = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}
TLS = ("--tls-certificate",)


@pytest.fixture(scope="module")
def backend() -> Iterator[str]:
    """A WebSocket server: echoes what it gets; says its path first; refuses /no."""

    def answer(connection: ServerConnection) -> None:
        request = connection.request
        assert request is not None
        connection.send(f"{request.path} {request.headers.get('X-Forwarded-For')}")
        for message in connection:
            if message == "bye":
                connection.close(4001, "as you wish")
            connection.send(message)

    def choose(connection: ServerConnection, request: Request) -> Response | None:
        status: HTTPStatus | int = 403
        return connection.respond(status, "not you\n") if request.path == "/no" else None  # type: ignore[arg-type]

    with serve_websockets(answer, "127.0.0.1", 0, process_request=choose, max_size=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join()


def test_messages_go_both_ways(front: Front, backend: str) -> None:
    server = front([backend], "--access-log", "on")
    with connect(f"ws://{server.address}/chat?room=1", max_size=None) as client:
        assert client.recv() == "/chat?room=1 127.0.0.1"
        for message in ("hello", "", "\u2603" * 1000, b"\0\1\2", os.urandom(3_000_000)):
            client.send(message)
            assert client.recv() == message
        assert client.ping().wait(10), "its pings are answered by the other end"
    server.log.wait_for(r'"GET /chat\?room=1 HTTP/1.1" 101 ')


def test_over_tls(front: Front, backend: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    options = (*authority.sign("localhost", "localhost").options, "--state-dir", str(tmp_path))
    server = front([backend], *options)
    trusted = ssl.create_default_context(cafile=str(authority.certificate))
    with connect(f"wss://localhost:{server.address.port}/tls", ssl=trusted, max_size=None) as client:
        assert client.recv() == "/tls 127.0.0.1"
        message = os.urandom(2_000_000)
        client.send(message)
        assert client.recv() == message


def test_many_at_once(front: Front, backend: str) -> None:
    server = front([backend])
    clients = [connect(f"ws://{server.address}/{number}") for number in range(50)]
    for number, client in enumerate(clients):
        assert client.recv() == f"/{number} 127.0.0.1"
        client.send(str(number))
    for number, client in enumerate(clients):
        assert client.recv() == str(number)
        client.close()


def test_the_servers_word_at_the_end_arrives(front: Front, backend: str) -> None:
    server = front([backend])
    with connect(f"ws://{server.address}/") as client:
        client.recv()
        client.send("bye")
        # The server says goodbye before it answers.
        with pytest.raises(ConnectionClosed) as closed:
            client.recv()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "as you wish")


def test_a_refusal_is_an_answer(front: Front, backend: str) -> None:
    server = front([backend])
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://{server.address}/no")
    assert refused.value.response.status_code == 403
    assert refused.value.response.body == b"not you\n"


class Tcp:
    """A server that says what it is told to, once."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def accept(self) -> socket.socket:
        """The front's connection."""
        self.listener.settimeout(20)
        connection, _ = self.listener.accept()
        connection.settimeout(20)
        return connection

    def close(self) -> None:
        self.listener.close()


@pytest.fixture
def tcp() -> Iterator[Tcp]:
    """A server in bytes."""
    with closing(Tcp()) as server:
        yield server


def read_head(connection: socket.socket) -> bytes:
    """A request's head, and what came with it."""
    head = b""
    while b"\r\n\r\n" not in head:
        more = connection.recv(65536)
        assert more, head
        head += more
    return head


def accept_key() -> str:
    return base64.b64encode(
        hashlib.sha1(KEY.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    ).decode()


AGREED = (
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
    f"Sec-WebSocket-Accept: {accept_key()}\r\nKeep-Alive: timeout=5\r\n\r\n"
).encode()


def test_bytes_before_the_agreement_wait(front: Front, tcp: Tcp) -> None:
    """CVE-2026-2833: what follows the request is no business of the upstream's before it says 101."""
    server = front([tcp.url])
    with Connection(server.address) as client:
        client.send(http_request("GET", "/", ASK) + b"early")
        with tcp.accept() as upstream:
            head = read_head(upstream)
            assert head.endswith(b"\r\n\r\n"), "nothing behind the head"
            lines = head.decode().lower().split("\r\n")
            assert lines.count("connection: upgrade") == 1
            assert lines.count("upgrade: websocket") == 1
            assert f"sec-websocket-key: {KEY}".lower() in lines
            upstream.sendall(AGREED + b"first")
            answer = client.read_head()
            assert (answer.status, answer.get("Upgrade"), answer.get("Connection")) == (
                101,
                "websocket",
                "Upgrade",
            )
            assert answer.get("Sec-WebSocket-Accept") == accept_key()
            assert answer.get("Keep-Alive") is None
            assert client.read_exactly(5) == b"first"
            assert upstream.recv(100) == b"early"
            # Each direction ends by itself.
            client.half_close()
            assert upstream.recv(100) == b""
            upstream.sendall(b"and the last")
        assert client.read_to_end() == b"and the last"


def test_bytes_behind_a_refusal_are_the_next_request(front: Front, tcp: Tcp) -> None:
    server = front([tcp.url])
    with Connection(server.address) as client:
        client.send(http_request("GET", "/", ASK) + http_request("GET", "/next"))
        with tcp.accept() as upstream:
            read_head(upstream)
            upstream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno")
            assert client.read_response().body == b"no"
            assert read_head(upstream).startswith(b"GET /next ")
            upstream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes")
            assert client.read_response().body == b"yes"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
    ],
)
def test_an_agreement_to_something_else(front: Front, tcp: Tcp, answer: bytes) -> None:
    server = front([tcp.url])
    with Connection(server.address) as client:
        client.send(http_request("GET", "/", ASK))
        with tcp.accept() as upstream:
            read_head(upstream)
            upstream.sendall(answer + b"smuggled")
            response = client.read_response()
            assert response.status == 502
            assert b"smuggled" not in response.body


@pytest.mark.parametrize(
    ("method", "fields", "version"),
    [
        ("GET", {**ASK, "Upgrade": "h2c"}, "1.1"),
        ("GET", {**ASK, "Upgrade": "websocket, h2c"}, "1.1"),
        ("GET", {**ASK, "Connection": "keep-alive"}, "1.1"),
        ("GET", {**ASK, "Host": "a"}, "1.0"),
        ("POST", {**ASK, "Content-Length": "0"}, "1.1"),
        ("GET", {**ASK, "Content-Length": "3"}, "1.1"),
    ],
)
def test_what_is_no_wish(front: Front, tcp: Tcp, method: str, fields: dict[str, str], version: str) -> None:
    """The field is not passed on, and an upstream that switches all the same is wrong."""
    server = front([tcp.url])
    with Connection(server.address) as client:
        body = b"abc" if fields.get("Content-Length") == "3" else None
        client.send(http_request(method, "/", fields, body, version))
        with tcp.accept() as upstream:
            head = read_head(upstream).lower()
            assert b"\r\nupgrade:" not in head
            assert b"\r\nconnection:" not in head
            upstream.sendall(AGREED)
            assert client.read_response().status == 502


def test_silence_ends_it(front: Front, tcp: Tcp) -> None:
    server = front([tcp.url], "--tunnel-timeout", "1s")
    with Connection(server.address) as client:
        client.send(http_request("GET", "/", ASK))
        with tcp.accept() as upstream:
            read_head(upstream)
            upstream.sendall(AGREED)
            assert client.read_head().status == 101
            client.assert_closed()
            assert upstream.recv(100) == b""


def test_who_does_not_read_holds_no_memory(front: Front, tcp: Tcp) -> None:
    """The upstream may send as much as the two sockets hold, and goes on when its client reads."""
    server = front([tcp.url])
    total = 64 << 20
    with Connection(server.address) as client:
        client.send(http_request("GET", "/", ASK))
        with tcp.accept() as upstream:
            read_head(upstream)
            upstream.sendall(AGREED)
            assert client.read_head().status == 101
            upstream.settimeout(1)
            sent = 0
            try:
                while sent < total:
                    sent += upstream.send(bytes(65536))
            except (TimeoutError, socket.timeout):
                pass
            assert sent < total // 2
            assert client.read_exactly(sent) == bytes(sent)


def test_what_is_open_is_cut_at_the_end_of_the_graceful_time(front: Front, backend: str) -> None:
    server = front([backend], "--graceful-timeout", "1s")
    with connect(f"ws://{server.address}/") as client:
        client.recv()
        server.process.terminate()
        client.send("still there")
        assert client.recv() == "still there"
        with pytest.raises(ConnectionClosed):
            client.recv(timeout=20)
    assert server.wait() == 0


def test_to_own_workers_the_field_means_nothing(serve: Callable[..., Server]) -> None:
    """RFC 9110 section 7.8: a server may ignore it."""
    server = serve("plain:application", "--static", "/static/=.")
    response = exchange(server.address, http_request("GET", "/hello", ASK))
    assert (response.status, response.body) == (200, b"hello")


def test_a_new_configuration_leaves_it_open(backend: str, tmp_path: Path) -> None:
    """Also when nothing of it names the upstream any more."""
    text = f"[front]\nupstream = '{backend}'\n"
    (tmp_path / "tapster.toml").write_text(text)
    with Server.start("front", "--control-socket", str(tmp_path / "control"), cwd=tmp_path) as server:
        operator = Operated(server, tmp_path / "control")
        with connect(f"ws://{server.address}/kept") as client:
            client.recv()
            for later in (f"{text}hold = '1s'\n", "[front.sites.default]\nanswer = '404'\n"):
                operator.reload(later)
                client.send("still there")
                assert client.recv(timeout=30) == "still there"
            assert exchange(server.address, http_request()).status == 404
