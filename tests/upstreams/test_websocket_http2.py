"""WebSocket over HTTP/2 (RFC 8441), before servers that speak it over HTTP/1."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from wsproto.events import BytesMessage, TextMessage

from tests.front.certificates import Authority
from tests.front.http2_frames import DATA, END_HEADERS, END_STREAM, GOAWAY, HELLO, Http2, frame
from tests.upstreams.backend import OK, Backend, answer
from tests.upstreams.test_websocket import Tcp, backend, read_head, tcp
from tests.upstreams.websocket_http2 import Client
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.server import Server

    Front = Callable[..., Server]

__all__ = ["backend", "tcp"]

#: A reason (RFC 9113 section 7).
PROTOCOL_ERROR, CANCEL = 1, 8

WISH = ((":method", "CONNECT"), *HELLO[1:])
WEBSOCKET = (":protocol", "websocket")


def agreed(head: bytes) -> bytes:
    """What a server answers that understood the key."""
    key = re.search(rb"(?mi)^sec-websocket-key: (\S+)\r$", head)
    assert key is not None, head
    proof = base64.b64encode(hashlib.sha1(key[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Accept: " + proof + b"\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
    )


def test_messages_go_both_ways(front: Front, backend: str) -> None:
    server = front([backend], "--access-log", "on")
    with Client(server.address) as client:
        assert client.is_offered
        tunnel = client.open("/chat?room=1")
        assert tunnel.status == "200"
        assert "sec-websocket-accept" not in tunnel.fields
        assert "upgrade" not in tunnel.fields
        assert tunnel.receive() == "/chat?room=1 127.0.0.1"
        for message in ("hello", "\u2603" * 1000):
            tunnel.send(TextMessage(data=message))
            assert tunnel.receive() == message
        large = os.urandom(3_000_000)
        tunnel.send(BytesMessage(data=large))
        assert tunnel.receive() == large
        tunnel.ping()
        tunnel.close()
        assert tunnel.has_ended, tunnel.reset
    server.log.wait_for(r'"GET /chat\?room=1 HTTP/2\.0" 200 ')


def test_over_tls(front: Front, backend: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    options = (*authority.sign("localhost", "localhost").options, "--state-dir", str(tmp_path))
    server = front([backend], *options)
    trusted = ssl.create_default_context(cafile=str(authority.certificate))
    with Client(server.address, trusted) as client:
        tunnel = client.open("/tls")
        assert tunnel.receive() == "/tls 127.0.0.1"
        message = os.urandom(1_000_000)
        tunnel.send(BytesMessage(data=message))
        assert tunnel.receive() == message


def test_many_beside_other_requests(front: Front, backend: str) -> None:
    server = front([backend])
    with Client(server.address) as client:
        tunnels = [client.open(f"/{number}") for number in range(50)]
        # The server serves nothing else, and says so.
        assert client.get("/page").status == "426"
        for number, tunnel in enumerate(tunnels):
            assert tunnel.receive() == f"/{number} 127.0.0.1"
            tunnel.send(TextMessage(data=str(number)))
        for number, tunnel in enumerate(tunnels):
            assert tunnel.receive() == str(number)


def test_what_the_upstream_gets(front: Front, tcp: Tcp) -> None:
    """The wish of a client of HTTP/1, with a key of the front's own, and nothing before it has agreed."""
    server = front([tcp.url])
    with Client(server.address) as client:
        tunnel = client.open("/", ("sec-websocket-key", "theirs"), ("sec-websocket-protocol", "chat"))
        tunnel.send_bytes(b"early")
        with tcp.accept() as upstream:
            head = read_head(upstream)
            assert head.endswith(b"\r\n\r\n"), "nothing behind the head"
            assert head.startswith(b"GET / HTTP/1.1\r\n")
            lines = head.decode().lower().split("\r\n")
            for line in ("connection: upgrade", "upgrade: websocket", "sec-websocket-protocol: chat"):
                assert lines.count(line) == 1
            assert not any("theirs" in line or line.startswith(("transfer-", "content-")) for line in lines)
            upstream.sendall(agreed(head) + b"first")
            assert tunnel.status == "200"
            assert tunnel.fields["sec-websocket-protocol"] == "chat"
            assert tunnel.receive_bytes(5) == b"first"
            assert upstream.recv(100) == b"early"
            # Each direction ends by itself.
            tunnel.end()
            assert upstream.recv(100) == b""
            upstream.sendall(b"and the last")
            upstream.shutdown(socket.SHUT_WR)
            assert tunnel.receive_bytes(12) == b"and the last"
            while not tunnel.is_over:
                client.step()
            assert tunnel.has_ended


def test_an_upstream_that_ends_first_still_listens(front: Front, tcp: Tcp) -> None:
    server = front([tcp.url])
    with Client(server.address) as client:
        tunnel = client.open("/")
        with tcp.accept() as upstream:
            upstream.sendall(agreed(read_head(upstream)))
            assert tunnel.status == "200"
            upstream.shutdown(socket.SHUT_WR)
            while not tunnel.has_ended:
                client.step()
            tunnel.send_bytes(b"still there")
            assert upstream.recv(100) == b"still there"
            tunnel.end()
            assert upstream.recv(100) == b""


def test_a_client_that_takes_it_back(front: Front, tcp: Tcp) -> None:
    server = front([tcp.url])
    with Client(server.address) as client:
        for _ in range(3):
            tunnel = client.open("/")
            with tcp.accept() as upstream:
                upstream.sendall(agreed(read_head(upstream)))
                assert tunnel.status == "200"
                client.reset(tunnel)
                assert upstream.recv(100) == b""


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", "403"),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "302"),
        # This would be an agreement.
        (OK, "501"),
        # An answer to another key.
        (
            (
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
            ),
            "502",
        ),
        (b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", "502"),
    ],
)
def test_answers_that_are_no_agreement(front: Front, said: bytes, status: str) -> None:
    with Backend(said) as backend, Client(front([backend.url]).address) as client:
        tunnel = client.open("/")
        assert tunnel.status == status
        while not tunnel.is_over:
            client.step()
        assert tunnel.data == (b"no" if status == "403" else tunnel.data)
        # The connection and the upstream are as good as before.
        backend.script = answer(OK)
        assert client.get("/").status == "200"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        # RFC 9113 section 8.5: a way through to a host. The front is no such proxy.
        (((":method", "CONNECT"), (":authority", "a:1")), 501),
        ((*WISH, (":protocol", "connect-udp")), 501),
        ((*WISH, (":protocol", "")), 501),
        ((*WISH, WEBSOCKET, ("content-length", "3")), 400),
        # Malformed.
        ((*HELLO, WEBSOCKET), None),
        (((":method", "CONNECT"), (":authority", "a"), WEBSOCKET), None),
        ((*WISH, WEBSOCKET, WEBSOCKET), None),
        ((*WISH, WEBSOCKET, ("upgrade", "websocket")), None),
    ],
)
def test_wishes_that_are_none(front: Front, head: tuple[tuple[str, str], ...], status: int | None) -> None:
    with Backend() as backend:
        server = front([backend.url])
        with Http2(server.address) as client:
            client.request(1, head, flags=0)
            found = client.answer(1)
            assert found.status == status
            assert status is not None or PROTOCOL_ERROR in (found.reset, found.goaway)
        assert exchange(server.address, http_request()).status == 200
        assert len(backend.heads) == 1


def test_only_where_it_leads_somewhere(front: Front, serve: Callable[..., Server], tmp_path: Path) -> None:
    """Files and own workers speak no WebSocket: it is not offered, or refused."""
    (tmp_path / "file.txt").write_text("a file")
    own = serve("plain:application", "--static", f"/static/={tmp_path}")
    with Client(own.address) as client:
        assert not client.is_offered
    text = f"""
        [front]
        bind = ["127.0.0.1:0"]
        [front.sites.default.routes."/files"]
        static = "{tmp_path}"
        [front.sites.default.routes."/old"]
        answer = "200 nothing here"
        [front.sites.default.routes."/chat"]
        upstream = "http://127.0.0.1:9"
    """
    config = tmp_path / "tapster.toml"
    config.write_text(text)
    server = front([], "--config", str(config))
    with Client(server.address) as client:
        assert client.is_offered
        for path in ("/files/file.txt", "/old", "/nowhere"):
            assert client.open(path).status == "501"
        assert client.get("/files/file.txt").status == "200"


def test_silence_ends_it(front: Front, tcp: Tcp) -> None:
    server = front([tcp.url], "--tunnel-timeout", "1s")
    with Client(server.address) as client:
        tunnel = client.open("/")
        with tcp.accept() as upstream:
            upstream.sendall(agreed(read_head(upstream)))
            assert tunnel.status == "200"
            while not tunnel.is_over:
                client.step()
            assert tunnel.reset == CANCEL
            assert upstream.recv(100) == b""


def test_who_does_not_read_holds_no_memory(front: Front, tcp: Tcp) -> None:
    """Neither of the two: what one does not take is not taken of the other, and goes on when it is."""
    server = front([tcp.url])
    total = 64 << 20
    with Client(server.address) as client:
        tunnel = client.open("/")
        with tcp.accept() as upstream:
            upstream.sendall(agreed(read_head(upstream)))
            assert tunnel.status == "200"
            upstream.settimeout(1)
            sent = 0
            with suppress(TimeoutError, socket.timeout):
                while sent < total:
                    sent += upstream.send(bytes(65536))
            assert sent < total // 2
            assert tunnel.receive_bytes(sent) == bytes(sent)
            # The other way: what the upstream does not read fills the windows.
            sent = 0
            while (room := client.room(tunnel.number)) > 0:
                client.data(tunnel.number, bytes(room))
                sent += room
            upstream.settimeout(20)
            while sent > 0:
                sent -= len(upstream.recv(65536))


def test_a_server_that_stops_lets_it_end(front: Front, tcp: Tcp) -> None:
    """GOAWAY ends what was not begun, and nothing else. In bytes: h2 takes it for the end of all."""
    server = front([tcp.url], "--graceful-timeout", "30s")
    with Http2(server.address) as client:
        client.request(1, (*WISH, WEBSOCKET, ("sec-websocket-version", "13")), flags=0)
        with tcp.accept() as upstream:
            upstream.sendall(agreed(read_head(upstream)))
            assert client.answer(1, until=END_HEADERS).status == 200
            server.process.terminate()
            assert client.frames(until=GOAWAY)[-1].kind == GOAWAY
            client.send(frame(DATA, stream=1, payload=b"still there"))
            assert upstream.recv(100) == b"still there"
            upstream.sendall(b"so am I")
            assert client.frames(until=DATA)[-1].payload == b"so am I"
            client.send(frame(DATA, END_STREAM, stream=1))
            assert upstream.recv(100) == b""
        ended = client.frames(until=DATA)[-1]
        assert (ended.payload, ended.flags) == (b"", END_STREAM)
    assert server.wait() == 0
