"""Compressed answers as real clients decode them, and the answers that must stay as they are."""

from __future__ import annotations

import gzip
import subprocess
import zlib
from typing import TYPE_CHECKING

import pytest

from tests.cache.conftest import ask, target
from tests.server import Server
from tests.upstreams.backend import Backend
from tests.wire import Connection, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Serve
    from tests.process.conftest import Gates

BODY = b"call 1\n" + b"abcdefghij" * 400
ALL = {"Accept-Encoding": "gzip, br, zstd"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Compresses everything that it may."""
    options = ("--compress", "on", "--compress-exclude", "/secret/", "--workers", "1", "--threads", "8")
    with Server.start("fields:application", *options) as started:
        yield started


def curl(server: Server, where: str, *options: str) -> bytes:
    """What curl has of an answer after decoding it."""
    url = f"http://{server.address.host}:{server.address.port}{where}"
    return subprocess.run(["curl", "-sS", *options, url], check=True, capture_output=True, timeout=20).stdout


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
@pytest.mark.parametrize("options", [(), ("--http2-prior-knowledge",), ("--http1.0",)])
@pytest.mark.parametrize("size", [4000, 700_000])
def test_curl_decodes_it(server: Server, coding: str, options: tuple[str, ...], size: int) -> None:
    where = target(size=size)
    wanted = ("--compressed", "-H", f"Accept-Encoding: {coding}", *options)
    assert curl(server, where, *wanted) == b"call 1\n" + b"abcdefghij" * (size // 10)
    head = curl(server, where, "-D", "-", "-o", "/dev/null", "-H", f"Accept-Encoding: {coding}", *options)
    assert f"content-encoding: {coding}" in head.decode().lower()


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        (None, None),
        ("", None),
        ("identity", None),
        ("deflate", None),
        ("gzip", "gzip"),
        ("gzip, br, zstd", "zstd"),
        ("*", "zstd"),
        ("gzip;q=1, br;q=0.5, zstd;q=0", "gzip"),
        ("gzip;q=0", None),
        ("zstd;q=0, *;q=0.1", "br"),
        ("identity;q=1, gzip;q=0.5", None),
    ],
)
def test_the_client_decides(server: Server, accepted: str | None, coding: str | None) -> None:
    fields = {} if accepted is None else {"Accept-Encoding": accepted}
    found = ask(server, target(size=4000), fields)
    assert found.get("Content-Encoding") == coding
    assert found.get("Vary") == "Accept-Encoding"
    assert found.get("Content-Length") == (None if coding else str(len(BODY)))


@pytest.mark.parametrize(
    ("fields", "more"),
    [
        (["Content-Encoding: identity"], {}),
        (["Cache-Control: public, no-transform"], {}),
        (["Content-Range: bytes 0-4006/4007"], {"status": "206 Partial Content"}),
        (["Repr-Digest: sha-256=:AAAA:"], {}),
        ([], {"type": "image/png"}),
        ([], {"type": "text/event-stream"}),
        ([], {"type": ""}),
        ([], {"path": "/secret/page"}),
        ([], {"path": "/%73ecret/page"}),
        ([], {"size": 500}),
    ],
)
def test_what_is_not_compressed(server: Server, fields: list[str], more: dict[str, str]) -> None:
    found = ask(server, target(*fields, **{"size": "4000", **more}), ALL)
    assert found.get("Content-Encoding") in (None, "identity")
    assert found.body.startswith(b"call ")
    assert found.get("Vary") is None


def test_requests_that_ask_for_no_change(server: Server) -> None:
    found = ask(server, target(size=4000), {**ALL, "Cache-Control": "no-transform"})
    assert found.get("Content-Encoding") is None
    # Who makes a browser send requests with cookies, and sees their sizes, learns what is in them.
    foreign = {**ALL, "Cookie": "session=1", "Sec-Fetch-Site": "cross-site"}
    assert ask(server, target(size=4000), foreign).get("Content-Encoding") is None
    assert ask(server, target(size=4000), {**foreign, "Sec-Fetch-Site": "none"}).get("Content-Encoding")


def test_validators_and_vary(server: Server) -> None:
    where = target("Vary: Cookie", "Accept-Ranges: bytes", size=4000, etag='"a"')
    found = ask(server, where, ALL)
    assert (found.get("ETag"), found.get("Vary")) == ('W/"a"', "Cookie, Accept-Encoding")
    assert found.get("Accept-Ranges") is None
    assert ask(server, where).get("ETag") == '"a"'
    again = ask(server, where, {**ALL, "If-None-Match": '"a"'})
    assert (again.status, again.body, again.get("ETag")) == (304, b"", '"a"')


def test_the_tag_that_a_client_has_is_the_tag_that_it_is_told() -> None:
    answer = b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n'
    with (
        Backend(answer) as backend,
        Server.start("front", "--upstream", backend.url, "--compress", "on") as server,
    ):
        for sent, told in (('W/"a"', 'W/"a"'), ('"a"', '"a"')):
            found = ask(server, "/", {**ALL, "If-None-Match": sent})
            assert (found.status, found.get("ETag")) == (304, told)


def test_head_tells_what_get_would(server: Server) -> None:
    where = target(size=4000, etag='"a"')
    whole, head = ask(server, where, ALL), ask(server, where, ALL, "HEAD")
    left_out = ("Date", "X-Call")
    kept = [field for field in whole.fields if field[0] not in left_out]
    assert [field for field in head.fields if field[0] not in left_out] == kept
    for status in ("204 No Content", "304 Not Modified"):
        found = ask(server, target(status=status, size=0), ALL)
        assert (found.get("Content-Encoding"), found.body) == (None, b"")


def test_a_stream_arrives_piece_by_piece(serve: Serve, gates: Gates) -> None:
    options = ("--compress", "gzip", "--compress-types", "text/event-stream", "--threads", "4")
    server = serve("fields:application", *options, env=gates.env)
    where = target(stream=3, piece_gate="piece", type="text/event-stream")
    with Connection(server.address) as connection:
        connection.send(http_request("GET", where, {"Accept-Encoding": "gzip"}))
        head = connection.read_head()
        assert (head.get("Content-Encoding"), head.chunked) == ("gzip", True)
        decoder = zlib.decompressobj(wbits=31)
        for number in range(3):
            decoded = b""
            while decoded != b"call 1\n":
                decoded += decoder.decompress(connection.read_chunk())
            (gates.directory / f"piece{number}").touch()


def test_upstreams_answers_are_compressed() -> None:
    text = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4007\r\n\r\n" + BODY
    with (
        Backend(text) as backend,
        Server.start("front", "--upstream", backend.url, "--compress", "on") as server,
    ):
        found = ask(server, "/", {"Accept-Encoding": "gzip"})
        assert found.get("Content-Encoding") == "gzip"
        assert gzip.decompress(found.body) == BODY


def test_http10_gets_the_end_of_the_connection(server: Server) -> None:
    with Connection(server.address) as connection:
        connection.send(http_request("GET", target(size=4000), {"Accept-Encoding": "gzip"}, version="1.0"))
        found = connection.read_response()
        assert (found.chunked, found.get("Content-Length")) == (False, None)
        assert gzip.decompress(found.body).endswith(b"abcdefghij")
