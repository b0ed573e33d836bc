"""HTTP/2: the same answers as by HTTP/1, from real clients, and what becomes of hostile ones."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import struct
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.front.certificates import Authority
from tests.front.conftest import LARGE, SMALL, put
from tests.front.http2_frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    HELLO,
    PING,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Http2,
    block,
    frame,
)
from tests.server import Server
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Serve

#: Reasons (RFC 9113 section 7).
NO_ERROR, CALM = 0, 11


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Signs the server's certificate."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def tls(authority: Authority, tmp_path_factory: pytest.TempPathFactory, site: Path) -> Iterator[Server]:
    """A server that speaks HTTP/2 over TLS."""
    state = tmp_path_factory.mktemp("state")
    options = (*authority.sign("localhost", "localhost").options, "--state-dir", str(state))
    files = ("--static", f"/static/={site}/public", "--access-log", "on")
    with Server.start("plain:application", *options, *files, "--workers", "2") as started:
        yield started


def curl(
    server: Server, authority: Authority, *arguments: str, target: str = "/hello", stdin: bytes = b""
) -> bytes:
    """What curl gets, by HTTP/2 or not at all."""
    port = server.address.port
    where = ("--resolve", f"localhost:{port}:127.0.0.1", f"https://localhost:{port}{target}")
    command = ["curl", "-sS", "--http2", "--cacert", str(authority.certificate), "-w", "%{http_version}"]
    found = subprocess.run(
        [*command, *arguments, *where], input=stdin, capture_output=True, timeout=60, check=False
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.endswith(b"2")
    return found.stdout[:-1]


def test_curl_gets_pages_and_files(tls: Server, authority: Authority) -> None:
    assert curl(tls, authority) == b"hello"
    assert curl(tls, authority, target="/static/css/a.css") == SMALL
    assert curl(tls, authority, target="/static/large.bin") == LARGE
    assert curl(tls, authority, "-r", "100-199", target="/static/large.bin") == LARGE[100:200]
    head = curl(tls, authority, "-I", target="/static/css/a.css").decode()
    assert head.startswith("HTTP/2 200")
    assert "content-length: 20" in head
    assert "connection" not in head
    streamed = curl(tls, authority, target="/download?blocks=48")
    assert streamed == curl(tls, authority, target="/download?blocks=48&sized")
    assert len(streamed) == 48 * 65536


def test_curl_sends_bodies(tls: Server, authority: Authority, tmp_path: Path) -> None:
    put(tmp_path / "body", LARGE * 3)
    file = f"@{tmp_path / 'body'}"
    expected = f"{len(LARGE) * 3} {hashlib.sha256(LARGE * 3).hexdigest()}".encode()
    known = curl(tls, authority, "--data-binary", file, target="/digest")
    unknown = curl(tls, authority, "-T", "-", "-X", "POST", target="/digest", stdin=LARGE * 3)
    assert known == expected
    assert unknown == expected
    assert curl(tls, authority, "--data-binary", file, target="/echo") == LARGE * 3
    assert curl(tls, authority, "-d", "", target="/echo") == b""
    # What nobody reads does not hold up the answer.
    assert curl(tls, authority, "--data-binary", file, target="/unread") == b"no, thank you"


def test_many_streams_on_many_connections(tls: Server) -> None:
    assert shutil.which("h2load")
    for target in ("/hello", "/static/css/a.css"):
        url = f"https://127.0.0.1:{tls.address.port}{target}"
        load = ["h2load", "-n", "4000", "-c", "20", "-m", "50", url]
        said = subprocess.run(load, capture_output=True, text=True, timeout=120, check=True).stdout
        assert re.search(r"4000 succeeded, 0 failed, 0 errored", said), said


def test_who_knows_beforehand_needs_no_tls(server: Server) -> None:
    url = f"http://{server.address}/static/css/a.css"
    command = ["curl", "-sS", "--http2-prior-knowledge", "-w", "%{http_version}", url]
    found = subprocess.run(command, capture_output=True, timeout=30, check=True).stdout
    assert found == SMALL + b"2"


def test_it_can_be_left_out(authority: Authority, serve: Serve, tmp_path: Path) -> None:
    options = (*authority.sign("off", "localhost").options, "--state-dir", str(tmp_path))
    server = serve("plain:application", *options, "--http2", "off")
    url = f"https://localhost:{server.address.port}/hello"
    command = ["curl", "-sSk", "--http2", "-w", "%{http_version}", url]
    assert subprocess.run(command, capture_output=True, timeout=30, check=True).stdout == b"hello1.1"


def status(client: Http2, stream: int) -> int | None:
    """The status of an answer, by the static table of RFC 7541; none if the stream was reset."""
    indexed = {0x88: 200, 0x89: 204, 0x8A: 206, 0x8B: 304, 0x8C: 400, 0x8D: 404, 0x8E: 500}
    while (one := client.read_frame()) is not None:
        if one.stream == stream and one.kind == RST_STREAM:
            return None
        if one.stream == stream and one.kind == HEADERS:
            first = one.payload[0]
            # Other statuses are literal: three digits, seven bits at least.
            return indexed.get(first, -1)
    return None


@pytest.mark.parametrize(
    "fields",
    [
        [*HELLO, ("connection", "close")],
        [*HELLO, ("transfer-encoding", "chunked")],
        [*HELLO, ("te", "gzip")],
        [*HELLO, ("Upper", "case")],
        [*HELLO, ("late", "x"), (":method", "GET")],
        [*HELLO, (":path", "/twice")],
        [(":method", "GET"), (":scheme", "http"), (":authority", "a")],
        [(":method", "GET"), (":scheme", "http"), (":path", ""), (":authority", "a")],
        [(":method", "GET"), (":scheme", "http"), (":path", "no/slash"), (":authority", "a")],
        [(":method", "GET"), (":scheme", "http"), (":path", "http://b/"), (":authority", "a")],
        [(":method", "GET"), (":scheme", "http"), (":path", "/a b"), (":authority", "a")],
        [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a"), ("host", "b")],
        [(":method", "GET"), (":scheme", "http"), (":path", "/")],
        [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a@b")],
        [(":method", "G ET"), (":scheme", "http"), (":path", "/"), (":authority", "a")],
        [(":method", "GET"), (":scheme", "http"), (":path", "/\u00e4"), (":authority", "a")],
        [(":method", "GET"), (":scheme", "http"), (":path", "/%zz"), (":authority", "a")],
        [*HELLO, ("x", "a\r\nInjected: b")],
        [*HELLO, ("x\r\nInjected", "b")],
        [*HELLO, ("content-length", "5")],
        [*HELLO, ("content-length", "0"), ("content-length", "1")],
        [(":method", "CONNECT"), (":authority", "a:1")],
    ],
)
def test_what_is_no_request_is_refused(server: Server, fields: list[tuple[str, str]]) -> None:
    with Http2(server.address) as client:
        client.request(1, fields)
        assert status(client, 1) not in (200, 204, 206, 304)
        # The connection may go on; it does not after what is an error of its own.
        client.request(3)
        assert status(client, 3) in (200, None)


def test_a_good_one_is_answered(server: Server) -> None:
    with Http2(server.address) as client:
        client.request(1, [*HELLO, ("cookie", "a=1"), ("cookie", "b=2"), ("te", "trailers")])
        frames = client.frames(until=DATA)
        assert frames[-1].payload == b"hello"
        client.send(frame(PING, payload=b"12345678"))
        assert client.frames(until=PING)[-1].payload == b"12345678"


def test_fields_are_bounded(server: Server) -> None:
    with Http2(server.address) as client:
        client.request(1, [*HELLO, *[("cookie", "a") for _ in range(101)]])
        assert status(client, 1) == -1
        client.request(3, [*HELLO, *[(f"x-{number}", "y" * 8000) for number in range(9)]])
        assert status(client, 3) in (-1, None)


def ends(client: Http2) -> int | None:
    """Reads until the connection ends; the reason if one was given."""
    reasons = [one.code for one in client.frames(until=-1) if one.kind == GOAWAY]
    return reasons[-1] if reasons else None


def _flood(client: Http2, data: bytes, count: int) -> None:
    try:
        for _ in range(count):
            client.send(data)
    except OSError:
        return


def test_endless_continuations_end_the_connection(server: Server) -> None:
    with Http2(server.address) as client:
        client.send(frame(HEADERS, END_STREAM, 1, block(HELLO)))
        _flood(client, frame(CONTINUATION, 0, 1, block([("x", "y" * 1000)]) * 10), 1000)
        assert ends(client) != NO_ERROR


def test_requests_that_are_taken_back_end_the_connection(server: Server) -> None:
    with Http2(server.address) as client:
        for number in range(1, 4000, 2):
            reset = frame(RST_STREAM, 0, number, struct.pack(">I", 8))
            try:
                client.send(frame(HEADERS, END_STREAM | END_HEADERS, number, block(HELLO)) + reset)
            except OSError:
                break
        assert ends(client) in (CALM, None)
    with Http2(server.address) as client:
        client.request(1)
        assert status(client, 1) == 200


def test_more_streams_than_allowed_are_refused(server: Server) -> None:
    with Http2(server.address) as client:
        for number in range(1, 300, 2):
            # Their bodies never come.
            client.request(number, [(":method", "POST"), *HELLO[1:]], flags=0)
        refused = client.frames(until=RST_STREAM)[-1]
        assert (refused.stream, refused.code) == (201, 7)


def test_a_window_that_hardly_opens_is_too_slow(serve: Serve, site: Path) -> None:
    times = ("--io-timeout", "1s", "--min-rate-after", "1s", "--min-rate", "10000")
    server = serve("plain:application", "--static", f"/static/={site}/public", *times)
    # No window for data at first.
    closed = struct.pack(">HI", 4, 0)
    with Http2(server.address, closed) as client:
        client.request(1, [*HELLO[:2], (":path", "/static/large.bin"), HELLO[3]])
        client.request(3)
        deadline = time.monotonic() + 40
        reset: set[int] = set()
        client.socket.settimeout(0.2)
        while reset != {1, 3} and time.monotonic() < deadline:
            client.send(frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 1)))
            try:
                one = client.read_frame()
            except TimeoutError:
                continue
            assert one is not None
            if one.kind == RST_STREAM:
                reset.add(one.stream)
        assert reset == {1, 3}


def test_a_silent_connection_is_let_go(serve: Serve, site: Path) -> None:
    options = ("--static", f"/static/={site}/public", "--head-timeout", "1s", "--keep-alive", "1s")
    server = serve("plain:application", *options)
    with Http2(server.address) as silent, Http2(server.address) as used:
        used.request(1)
        assert status(used, 1) == 200
        assert ends(silent) == NO_ERROR
        assert ends(used) == NO_ERROR


def test_what_runs_is_finished_when_the_server_stops(serve: Serve, site: Path) -> None:
    server = serve("streamed:application", "--static", f"/static/={site}/public")
    window = struct.pack(">HI", 4, 1 << 24)
    with Http2(server.address, window) as client:
        client.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 24)))
        client.request(1, [*HELLO[:2], (":path", "/static/large.bin"), HELLO[3]])
        first = client.frames(until=DATA)[-1]
        assert first.stream == 1
        server.process.terminate()
        rest = client.frames(until=-1)
        data = first.payload + b"".join(one.payload for one in rest if one.kind == DATA)
        assert data == LARGE
        assert [one.code for one in rest if one.kind == GOAWAY][-1] == NO_ERROR
    assert server.wait() == 0


def test_settings_are_acknowledged(server: Server) -> None:
    with Http2(server.address) as client:
        frames = client.frames(until=SETTINGS)
        values = dict(struct.iter_unpack(">HI", frames[-1].payload))
        assert values[3] == 100
        assert values[6] == 65536
        assert client.frames(until=SETTINGS)[-1].flags & ACK


def test_the_application_and_the_log_know(serve: Serve, site: Path) -> None:
    """Where the front turns a request into HTTP/1.1, whoever looks still sees what its client speaks, and only then."""
    files = ("--static", f"/static/={site}/public", "--access-log", "on")
    server = serve("environ_page:application", *files)
    with Http2(server.address) as client:
        client.request(1)
        assert json.loads(client.answer(1).body)["SERVER_PROTOCOL"] == ["str", "HTTP/2.0"]
        client.request(
            3, [field if field[0] != ":path" else (":path", "/static/css/a.css") for field in HELLO]
        )
        assert client.answer(3).status == 200
    for target in ("/hello", "/static/css/a.css"):
        server.log.wait_for(rf'"GET {target} HTTP/2\.0"')
    page = json.loads(exchange(server.address, http_request(target="/one")).body)
    assert page["SERVER_PROTOCOL"] == ["str", "HTTP/1.1"]
    server.log.wait_for(r'"GET /one HTTP/1\.1"')
