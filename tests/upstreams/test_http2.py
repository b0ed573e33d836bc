"""Clients that speak HTTP/2, before upstreams that do not: the same requests reach them, and the same answers come back."""

from __future__ import annotations

import hashlib
import struct
import subprocess
import threading
from typing import TYPE_CHECKING, Callable

import pytest

from tests.front.http2_frames import DATA, GOAWAY, HEADERS, HELLO, PING, RST_STREAM, Http2, frame
from tests.server import Server
from tests.upstreams.backend import OK, Backend

if TYPE_CHECKING:
    import socket
    from pathlib import Path

Front = Callable[..., Server]

#: A reason (RFC 9113 section 7).
INTERNAL_ERROR, CANCEL = 2, 8


def curl(server: Server, *arguments: str, target: str = "/", stdin: bytes = b"") -> bytes:
    """What curl gets, by HTTP/2 or not at all."""
    command = ["curl", "-sS", "--http2-prior-knowledge", "-w", "%{http_version}", *arguments]
    url = f"http://{server.address}{target}"
    found = subprocess.run([*command, url], input=stdin, capture_output=True, timeout=60, check=False)
    assert found.returncode == 0, found.stderr
    assert found.stdout.endswith(b"2")
    return found.stdout[:-1]


def test_what_the_upstream_gets(front: Front) -> None:
    with Backend() as backend:
        server = front([backend.url])
        found = curl(server, "-H", "TE: trailers", "-H", "Cookie: a=1", "-H", "X_Y: 1", target="/a%20b?c=d")
        assert found == b"ok"
        assert backend.heads[0].startswith(b"GET /a%20b?c=d HTTP/1.1\r\n")
        fields = backend.fields()
        assert (fields["host"], fields["cookie"]) == (str(server.address), "a=1")
        assert (fields["x-forwarded-for"], fields["x-forwarded-proto"]) == ("127.0.0.1", "http")
        # What the request came by (RFC 9110 section 7.6.3).
        assert fields["via"] == "2.0 tapster"
        assert not {"te", "transfer-encoding", "content-length", "x_y", "connection"} & set(fields)


def test_early_hints_are_passed_on(front: Front) -> None:
    with Backend(b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n" + OK) as backend:
        found = curl(front([backend.url]), "-i")
        assert found.startswith(b"HTTP/2 103")
        hints, answer, body = found.split(b"\r\n\r\n")
        assert b"link: </a>; rel=preload" in hints
        assert answer.startswith(b"HTTP/2 200") and b"link" not in answer
        assert body == b"ok"


def test_tls_is_told(front: Front, tmp_path: Path) -> None:
    with Backend() as backend:
        server = front([backend.url], "--tls-self-signed", "--state-dir", str(tmp_path))
        url = f"https://localhost:{server.address.port}/"
        command = ["curl", "-sSk", "--http2", "-w", "%{http_version}", url]
        assert subprocess.run(command, capture_output=True, timeout=30, check=True).stdout == b"ok2"
        assert backend.fields()["x-forwarded-proto"] == "https"


def test_bodies_arrive_whole(front: Front, tmp_path: Path) -> None:
    """Small, too large for memory, and of a length that nobody announced."""
    large = b"".join(number.to_bytes(4, "big") for number in range(1 << 19))
    (tmp_path / "body").write_bytes(large)
    with Server.start("plain:application", "--bind", "127.0.0.1:0", "--threads", "4") as upstream:
        for url in (f"http://{upstream.address}", f"uwsgi://{upstream.address}"):
            server = front([url], "--body-memory", "64KiB")
            assert curl(server, "-d", "small", target="/echo") == b"small"
            assert curl(server, "-d", "", target="/echo") == b""
            known = curl(server, "--data-binary", f"@{tmp_path / 'body'}", target="/digest")
            unknown = curl(server, "-T", "-", "-X", "POST", target="/digest", stdin=large)
            assert known == unknown == f"{len(large)} {hashlib.sha256(large).hexdigest()}".encode()
            assert curl(server, "--data-binary", f"@{tmp_path / 'body'}", target="/echo") == large


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n2;x=y\r\nbo\r\n2\r\ndy\r\n0\r\nA: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nbody",
        b"HTTP/1.0 200 OK\r\n\r\nbody",
    ],
)
def test_answers_are_framed_anew(front: Front, said: bytes) -> None:
    with Backend(said) as backend:
        server = front([backend.url])
        for _ in range(3):
            assert curl(server) == b"body"
        head = curl(server, "-i").decode().lower()
        assert not {"connection:", "transfer-encoding:", "trailer:", "keep-alive:"} & set(head.split())


def test_streams_of_any_length_end(front: Front) -> None:
    """Chunks that end where the client's window does, and far beyond it."""
    with Server.start("plain:application", "--bind", "127.0.0.1:0", "--threads", "4") as upstream:
        server = front([f"http://{upstream.address}"])
        for blocks in (1, 2, 48):
            streamed = curl(server, target=f"/download?blocks={blocks}")
            assert len(streamed) == blocks * 65536
            assert streamed == curl(server, target=f"/download?blocks={blocks}&sized")


def test_a_head_and_a_304_have_no_body(front: Front) -> None:
    with Backend(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n") as backend:
        head = curl(front([backend.url]), "-I").decode().lower()
        assert "content-length: 1000" in head
    for line in (b"304 Not Modified", b"204 No Content"):
        with Backend(b"HTTP/1.1 " + line + b"\r\nETag: x\r\n\r\n") as backend:
            assert curl(front([backend.url]), "-o", "/dev/null", "-w", "%{http_code} %{size_download} 2") == (
                line[:3] + b" 0 "
            )


def test_interim_answers_are_passed_on(front: Front) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x\r\n\r\n"
    with Backend(b"HTTP/1.1 100 Continue\r\n\r\n" + hints + OK) as backend:
        server = front([backend.url])
        with Http2(server.address) as client:
            client.request(1)
            answers = [one for one in client.frames(until=DATA) if one.kind == HEADERS]
            assert len(answers) == 2
        assert b"103" in curl(server, "-i").split(b"\r\n")[0]


def test_an_answer_that_stops_is_not_made_whole(front: Front) -> None:
    """Nor is it held against the client, however often that happens: the connection stays."""

    def stop(head: bytes, _body: bytes, _connection: socket.socket) -> bytes:
        return (
            OK
            if b"/hello" in head
            else b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nhalf"
        )

    with Backend(stop) as backend:
        server = front([backend.url])
        with Http2(server.address) as client:
            cut = [(":method", "GET"), (":scheme", "http"), (":path", "/cut"), (":authority", "a")]
            for stream in range(1, 300, 2):
                client.request(stream, cut)
                reset = client.frames(until=RST_STREAM)[-1]
                assert (reset.stream, reset.code) == (stream, INTERNAL_ERROR)
            client.request(301)
            assert client.frames(until=DATA)[-1].payload == b"ok"


def test_a_client_that_takes_its_request_back(front: Front) -> None:
    """The upstream's connection ends, and the other streams go on."""
    ended, asked = threading.Event(), threading.Event()

    def wait(head: bytes, _body: bytes, connection: socket.socket) -> bytes:
        if b"/slow" not in head:
            return OK
        asked.set()
        connection.settimeout(20)
        if connection.recv(1) == b"":
            ended.set()
        return b""

    with Backend(wait) as backend, Http2(front([backend.url]).address) as client:
        client.request(1, [*HELLO[:2], (":path", "/slow"), HELLO[3]])
        assert asked.wait(20)
        client.send(frame(RST_STREAM, 0, 1, struct.pack(">I", CANCEL)))
        assert ended.wait(20)
        client.request(3)
        assert client.frames(until=DATA)[-1].payload == b"ok"
        client.send(frame(PING, payload=b"12345678"))
        assert GOAWAY not in [one.kind for one in client.frames(until=PING)]


def test_a_connection_that_ends_takes_its_requests_with_it(front: Front) -> None:
    ended, asked = threading.Event(), threading.Event()

    def stream(_head: bytes, _body: bytes, connection: socket.socket) -> bytes:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nbegun")
        asked.set()
        connection.settimeout(20)
        if connection.recv(1) == b"":
            ended.set()
        return b""

    with Backend(stream) as backend:
        with Http2(front([backend.url]).address) as client:
            client.request(1)
            assert asked.wait(20)
            assert client.frames(until=DATA)[-1].payload == b"begun"
            client.reset()
        assert ended.wait(20)


def test_many_streams_at_once(front: Front) -> None:
    with (
        Server.start("plain:application", "--bind", "127.0.0.1:0", "--threads", "4") as one,
        Server.start("plain:application", "--bind", "127.0.0.1:0", "--threads", "4") as other,
    ):
        server = front([f"http://{one.address}", f"uwsgi://{other.address}"])
        load = ["h2load", "-n", "2000", "-c", "10", "-m", "100", f"http://{server.address}/hello"]
        said = subprocess.run(load, capture_output=True, text=True, timeout=120, check=True).stdout
        assert "2000 succeeded, 0 failed, 0 errored" in said, said
