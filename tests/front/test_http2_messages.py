"""Requests over HTTP/2 as messages (RFC 9113 section 8) and their compression (RFC 7541): what is one, and what is none.

A malformed request is reset or answered with 400, and is no matter to the requests beside it. Where bytes are no field at all
`h2` ends the connection, as it may (section 5.4).
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

import pytest
from hpack import Encoder

from tests.front.http2_frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    HELLO,
    SETTINGS,
    Http2,
    block,
    frame,
)
from tests.server import Server
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Reasons (RFC 9113 section 7).
PROTOCOL, COMPRESSION, CALM = 1, 9, 11

METHOD, SCHEME, PATH, AUTHORITY = HELLO
POST = [(":method", "POST"), SCHEME, (":path", "/echo"), AUTHORITY]

MALFORMED: dict[str, list[tuple[str, str]]] = {
    "8.2.1 an upper-case name": [*HELLO, ("X-Upper", "a")],
    "8.2.1 an empty name": [*HELLO, ("", "a")],
    "8.2.1 a name with a space": [*HELLO, ("a b", "c")],
    "8.2.1 a name with a colon": [*HELLO, ("a:b", "c")],
    "8.2.1 a name with a line end": [*HELLO, ("a\r\nb", "c")],
    "8.2.1 a name with NUL": [*HELLO, ("a\0", "c")],
    "8.2.1 a name with a byte beyond ASCII": [*HELLO, ("caf\u00e9", "c")],
    "8.2.1 a value with a line end": [*HELLO, ("x", "a\r\nb: c")],
    "8.2.1 a value with LF": [*HELLO, ("x", "a\nb")],
    "8.2.1 a value with CR": [*HELLO, ("x", "a\rb")],
    "8.2.1 a value with NUL": [*HELLO, ("x", "a\0b")],
    "8.2.2 Connection": [*HELLO, ("connection", "keep-alive")],
    "8.2.2 Keep-Alive": [*HELLO, ("keep-alive", "timeout=5")],
    "8.2.2 Proxy-Connection": [*HELLO, ("proxy-connection", "keep-alive")],
    "8.2.2 Transfer-Encoding": [*HELLO, ("transfer-encoding", "chunked")],
    "8.2.2 Upgrade": [*HELLO, ("upgrade", "websocket")],
    "8.2.2 TE other than trailers": [*HELLO, ("te", "trailers, deflate")],
    "8.3 an unknown pseudo field": [*HELLO, (":unknown", "a")],
    "8.3 a pseudo field of answers": [*HELLO, (":status", "200")],
    "8.3 a pseudo field behind another field": [METHOD, SCHEME, ("x", "a"), PATH, AUTHORITY],
    "8.3.1 no :method": [SCHEME, PATH, AUTHORITY],
    "8.3.1 no :scheme": [METHOD, PATH, AUTHORITY],
    "8.3.1 no :path": [METHOD, SCHEME, AUTHORITY],
    "8.3.1 no host": [METHOD, SCHEME, PATH],
    "8.3.1 two :method": [METHOD, *HELLO],
    "8.3.1 two :scheme": [*HELLO, SCHEME],
    "8.3.1 two :path": [*HELLO, PATH],
    "8.3.1 two :authority": [*HELLO, AUTHORITY],
    "8.3.1 an empty :method": [(":method", ""), SCHEME, PATH, AUTHORITY],
    "8.3.1 a :method that is no token": [(":method", "GET /"), SCHEME, PATH, AUTHORITY],
    "8.3.1 an empty :scheme": [METHOD, (":scheme", ""), PATH, AUTHORITY],
    "8.3.1 an empty :path": [METHOD, SCHEME, (":path", ""), AUTHORITY],
    "8.3.1 a :path without /": [METHOD, SCHEME, (":path", "hello"), AUTHORITY],
    "8.3.1 a :path with a space": [METHOD, SCHEME, (":path", "/hello HTTP/1.1"), AUTHORITY],
    "8.3.1 a :path with a line end": [METHOD, SCHEME, (":path", "/hello\r\nx: y"), AUTHORITY],
    "8.3.1 * with GET": [METHOD, SCHEME, (":path", "*"), AUTHORITY],
    "8.3.1 an :authority with user": [METHOD, SCHEME, PATH, (":authority", "user:word@test.example")],
    "8.3.1 an empty :authority": [METHOD, SCHEME, PATH, (":authority", "")],
    "8.3.1 an :authority with a path": [METHOD, SCHEME, PATH, (":authority", "test.example/a")],
    "8.3.1 two hosts": [*HELLO, ("host", "other.example")],
    "8.3.1 two hosts without :authority": [METHOD, SCHEME, PATH, ("host", "a"), ("host", "b")],
    "8.1.1 a length without a body": [*HELLO, ("content-length", "1")],
    "8.1.1 a length that is no number": [*HELLO, ("content-length", "+0")],
    "8.1.1 two lengths": [*HELLO, ("content-length", "0"), ("content-length", "00")],
    "8.5 CONNECT": [(":method", "CONNECT"), ("x", "a"), AUTHORITY],
    "8.5 CONNECT with host and port": [(":method", "CONNECT"), (":authority", "a.example:443")],
    "8.5 CONNECT with :path": [(":method", "CONNECT"), SCHEME, PATH, AUTHORITY],
    "RFC 8441 extended CONNECT": [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        SCHEME,
        PATH,
        AUTHORITY,
    ],
    "RFC 8441 :protocol with GET": [*HELLO, (":protocol", "websocket")],
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_request(server: Server, name: str) -> None:
    with Http2(server.address) as client:
        client.request(1)
        assert client.answer(1).body == b"hello"
        client.request(3, MALFORMED[name])
        client.request(5)
        answer = client.answer(3)
        if answer.goaway == PROTOCOL:
            return
        assert answer.reset == PROTOCOL or answer.status in (400, 501), answer
        assert client.answer(5).body == b"hello"


ALLOWED: dict[str, list[tuple[str, str]]] = {
    "8.2.2 TE: trailers": [*HELLO, ("te", "trailers")],
    "8.2.3 a cookie in crumbs": [*HELLO, ("cookie", "a=1"), ("cookie", "b=2")],
    "8.3.1 the same host twice": [*HELLO, ("host", "test.example")],
    "8.3.1 the same host in other letters": [*HELLO, ("host", "Test.Example")],
    "8.3.1 a host without :authority": [METHOD, SCHEME, PATH, ("host", "test.example")],
    "8.3.1 another scheme": [METHOD, (":scheme", "https"), PATH, AUTHORITY],
    "8.3.1 a query": [METHOD, SCHEME, (":path", "/hello?a=b&c"), AUTHORITY],
    "8.3.1 a port": [METHOD, SCHEME, PATH, (":authority", "[::1]:8000")],
    "8.2.1 a value beyond ASCII": [*HELLO, ("x", "caf\u00e9")],
    "8.2.1 an empty value": [*HELLO, ("x", "")],
    "8.1.1 a length of nothing": [*HELLO, ("content-length", "0")],
    "RFC 9218 priority": [*HELLO, ("priority", "u=0, i")],
}


@pytest.mark.parametrize("name", ALLOWED)
def test_what_is_allowed(server: Server, name: str) -> None:
    with Http2(server.address) as client:
        client.request(1, ALLOWED[name])
        answer = client.answer(1)
        assert (answer.status, answer.body) == (200, b"hello")


@pytest.mark.parametrize(
    ("length", "pieces"),
    [("1", [b"data"]), ("5", [b"data"]), ("9", [b"data", b"data"]), ("3", [b"da", b"ta"])],
)
def test_8_1_1_a_body_of_another_length(server: Server, length: str, pieces: list[bytes]) -> None:
    with Http2(server.address) as client:
        client.request(1, [*POST, ("content-length", length)], flags=0)
        for number, piece in enumerate(pieces, 1):
            client.send(frame(DATA, END_STREAM * (number == len(pieces)), 1, piece))
        answer = client.answer(1)
        assert answer.reset == PROTOCOL or answer.status == 400
        client.request(3)
        assert client.answer(3).status == 200


@pytest.mark.parametrize(("length", "piece"), [("0", b""), ("4", b"data")])
def test_8_1_1_nobody_begins_with_a_body_that_may_be_longer(
    server: Server, length: str, piece: bytes
) -> None:
    """All that was announced is there, but not the word that it was all; then more comes, or that word."""
    with Http2(server.address) as client:
        for stream in (1, 3):
            client.request(stream, [*POST, ("content-length", length)], flags=0)
            if piece:
                client.send(frame(DATA, 0, stream, piece))
        # Had somebody begun, the answer would be there before this one.
        client.request(5)
        assert client.answer(5).body == b"hello"
        client.send(frame(DATA, END_STREAM, 1, b"x") + frame(DATA, END_STREAM, 3))
        answer = client.answer(1)
        assert (answer.heads, answer.body, answer.reset) == ([], b"", PROTOCOL)
        answer = client.answer(3)
        assert (answer.status, answer.body) == (200, piece)


TRAILERS = [("x-sum", "1"), ("x-other", "2")]


@pytest.mark.parametrize("trailers", [[("Upper", "a")], [("x", "a\nb")], [("connection", "close")]])
def test_8_1_trailers_that_are_none(server: Server, trailers: list[tuple[str, str]]) -> None:
    with Http2(server.address) as client:
        client.request(1, POST, flags=0)
        client.send(frame(DATA, 0, 1, b"data") + frame(HEADERS, 5, 1, block(trailers)))
        answer = client.answer(1)
        assert PROTOCOL in (answer.reset, answer.goaway) or answer.status == 400


def test_8_1_trailers_end_a_body_and_become_no_fields(echoing: Server) -> None:
    with Http2(echoing.address) as client:
        client.request(1, POST, flags=0)
        client.send(frame(DATA, 0, 1, b"data") + frame(HEADERS, 5, 1, block(TRAILERS)))
        answer = client.answer(1)
        assert answer.status == 200
        assert "HTTP_X_SUM" not in json.loads(answer.body)


@pytest.fixture(scope="module")
def echoing() -> Iterator[Server]:
    """Answers with the environ."""
    with Server.start("environ_page:application", "--static", "/static/=.") as server:
        yield server


def environ(server: Server, fields: list[tuple[str, str]]) -> dict[str, str]:
    """What the application is told of a request."""
    with Http2(server.address) as client:
        client.request(1, fields)
        answer = client.answer(1)
        assert answer.status == 200
        return {name: value for name, (_, value) in json.loads(answer.body).items()}


def test_what_the_application_gets(echoing: Server) -> None:
    crumbs = [("cookie", "a=1"), ("x-a", "1"), ("cookie", "b=2"), ("x-a", "2"), ("te", "trailers")]
    found = environ(echoing, [METHOD, SCHEME, (":path", "/a%20b?q=%31"), AUTHORITY, *crumbs])
    assert found["HTTP_COOKIE"] == "a=1; b=2"
    assert found["HTTP_X_A"] in ("1, 2", "1,2")
    assert found["HTTP_HOST"] == "test.example"
    assert (found["PATH_INFO"], found["QUERY_STRING"]) == ("/a b", "q=%31")
    assert found["REQUEST_METHOD"] == "GET"
    assert not {"HTTP_TE", "HTTP_TRANSFER_ENCODING", "HTTP_CONNECTION"} & set(found)


def test_hop_fields_say_nothing(echoing: Server) -> None:
    """The field by which the front tells a worker of the client is the front's alone."""
    found = environ(echoing, [*HELLO, ("tapster-client", "10.0.0.1")])
    assert "10.0.0.1" not in json.dumps(found)


BAD_BLOCKS = {
    "2.3.3 an index beyond the tables": b"\xff\x80\x01",
    "2.3.3 a name's index beyond the tables": b"\x7f\x80\x01\x01a",
    "4.2 a size update behind a field": b"\x82\x3f\x61",
    "5.1 an endless integer": b"\xff" + b"\xff" * 12,
    "5.2 Huffman padding beyond 7 bits": b"\x00\x01x\x82\x1f\xff",
    "5.2 Huffman padding of zeros": b"\x00\x01x\x81\x18",
    "5.2 Huffman with EOS": b"\x00\x01x\x84\xff\xff\xff\xff",
    "5.2 a string longer than the head": b"\x00\x01x\x7f\x20abc",
    "6.1 index 0": b"\x80",
    "6.3 a size update beyond the setting": b"\x3f\xff\xff\x03",
}


@pytest.mark.parametrize("name", BAD_BLOCKS)
def test_rfc_7541_a_head_that_cannot_be_read(server: Server, name: str) -> None:
    """The state of the compression is lost, so the connection ends (RFC 9113 section 4.3)."""
    bad, good = BAD_BLOCKS[name], block(HELLO)
    payload = bad + good if name.startswith("6.3") else good + bad
    with Http2(server.address) as client:
        client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, payload))
        assert client.answer(1).goaway in (COMPRESSION, PROTOCOL)


GOOD_BLOCKS = {
    "6.1 indexed": b"\x82\x86" + block([PATH, AUTHORITY]),
    "6.2.1 with incremental indexing": b"\x82\x86\x44\x06/hello\x41\x01a",
    "6.2.1 a new name": b"\x82\x86\x44\x06/hello\x41\x01a\x40\x01x\x01y\xbe",
    "6.2.2 without indexing": b"\x82\x86\x04\x06/hello\x01\x01a",
    "6.2.3 never indexed": b"\x82\x86\x14\x06/hello\x11\x01a",
    "6.3 size updates": b"\x20\x3f\xe1\x1f\x82\x86\x44\x06/hello\x41\x01a",
    "5.2 Huffman": b"\x82\x86\x44\x06/hello\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff",
}


@pytest.mark.parametrize("name", GOOD_BLOCKS)
def test_rfc_7541_every_form_of_a_field(server: Server, name: str) -> None:
    with Http2(server.address) as client:
        for stream in (1, 3):
            client.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, GOOD_BLOCKS[name]))
            assert client.answer(stream).body == b"hello"


def test_rfc_7541_a_table_that_is_used_for_long(server: Server) -> None:
    """Over its bound again and again, and in pieces."""
    encoder = Encoder()
    with Http2(server.address) as client:
        for number in range(100):
            fields = [*HELLO, *((f"x-{one}-{number % 7}", str(number * one) * 9) for one in range(20))]
            payload, stream = encoder.encode(fields), 2 * number + 1
            client.send(frame(HEADERS, END_STREAM, stream, payload[:50]))
            client.send(frame(CONTINUATION, END_HEADERS, stream, payload[50:]))
            assert client.answer(stream).status == 200


@pytest.mark.parametrize(
    ("target", "method", "extra", "status"),
    [
        ("/hello", "HEAD", [], 200),
        ("/static/css/a.css", "HEAD", [], 200),
        ("/static/css/a.css", "GET", [("if-modified-since", "Sat, 01 Jan 2022 00:00:00 GMT")], 304),
        ("/static/css/a.css", "GET", [("if-match", '"no"')], 412),
        ("/static/missing.css", "HEAD", [], 404),
    ],
)
def test_answers_without_a_body(
    server: Server, target: str, method: str, extra: list[tuple[str, str]], status: int
) -> None:
    with Http2(server.address) as client:
        client.request(1, [(":method", method), SCHEME, (":path", target), AUTHORITY, *extra])
        answer = client.answer(1)
        assert answer.status == status
        assert method == "GET" or answer.body == b""
        if method == "HEAD" and status == 200:
            assert int(answer.heads[-1]["content-length"]) > 0
        assert not {"connection", "keep-alive", "transfer-encoding"} & set(answer.heads[-1])


def test_expect_continue(server: Server) -> None:
    with Http2(server.address) as client:
        client.request(1, [*POST, ("expect", "100-continue"), ("content-length", "4")], flags=0)
        found = client.answer(1, until=END_HEADERS)
        assert found.heads == [{":status": "100"}]
        client.send(frame(DATA, END_STREAM, 1, b"data"))
        assert client.answer(1).body == b"data"


def test_fields_beyond_what_is_announced(server: Server) -> None:
    """Beyond the list's size the answer is 431, far beyond it the connection ends."""
    with Http2(server.address) as client:
        settings = dict(struct.iter_unpack(">HI", client.frames(until=SETTINGS)[0].payload))
        assert settings[6] == 65536
        large = [(f"x-{number}", "y" * 1000) for number in range(70)]
        payload = block([*HELLO, *large])
        pieces = [payload[start : start + 16384] for start in range(0, len(payload), 16384)]
        client.send(frame(HEADERS, END_STREAM, 1, pieces[0]))
        for piece in pieces[1:]:
            last = END_HEADERS if piece is pieces[-1] else 0
            client.send(frame(CONTINUATION, last, 1, piece))
        assert client.answer(1).status == 431
        client.request(3)
        assert client.answer(3).status == 200
        # 60,000 times an entry of the table of 4,000 bytes, a byte each: what unpacks to 240 MB.
        bomb = block(HELLO) + b"\x40\x01x\x7f\xa1\x1e" + b"y" * 4000 + b"\xbe" * 12000
        client.send(frame(HEADERS, END_STREAM | END_HEADERS, 5, bomb))
        assert client.answer(5).goaway == CALM


@pytest.mark.parametrize(("count", "status"), [(100 - 1, 200), (101, 431)])
def test_the_number_of_fields(server: Server, count: int, status: int) -> None:
    """Crumbs of a cookie count one by one."""
    with Http2(server.address) as client:
        client.request(1, [*HELLO, *[("cookie", "a")] * count])
        assert client.answer(1).status == status


def test_an_upgrade_of_http1_is_ignored(server: Server) -> None:
    """RFC 9113 section 3.1 gave the upgrade of cleartext up."""
    fields = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAAP__"}
    response = exchange(server.address, http_request("GET", "/hello", fields))
    assert (response.status, response.body) == (200, b"hello")
