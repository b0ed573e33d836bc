"""Requests that mean two things: nothing of them passes the front, to a recording upstream or to own workers, by HTTP/1 or by
HTTP/2, and what does pass is one request, framed in one way, with the body that its client sent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.front.http2_frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    RST_STREAM,
    Http2,
    block,
    frame,
)
from tests.http import refused
from tests.http.test_strictness import CANARY, at_once, byte_by_byte
from tests.server import Server
from tests.upstreams.backend import Backend
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.http.refused import Refused


@dataclass(frozen=True)
class Seen:
    """A request as it arrived behind the front."""

    method: str
    target: str
    body: bytes


class Behind(Protocol):
    """What is behind a front."""

    server: Server

    def seen(self) -> list[Seen]:
        """Every request that came, in order."""
        ...


class Recording:
    """An upstream that keeps the bytes."""

    def __init__(self, server: Server, backend: Backend) -> None:
        self.server, self._backend = server, backend

    def seen(self) -> list[Seen]:
        """Read by their Content-Length, which each has once, and nothing else that would frame them."""
        found: list[Seen] = []
        for head, body in zip(self._backend.heads, self._backend.bodies):
            line, *fields = head[:-4].split(b"\r\n")
            names = [one.split(b":")[0].lower() for one in fields]
            assert line.endswith(b" HTTP/1.1")
            assert b"\n" not in head.replace(b"\r\n", b"")
            assert b"\r" not in head.replace(b"\r\n", b"")
            assert b"\0" not in head
            assert names.count(b"host") == 1
            assert names.count(b"content-length") <= 1
            assert not {b"transfer-encoding", b"te", b"upgrade", b"expect", b"trailer"} & set(names)
            method, target, _ = line.decode("latin-1").split(" ")
            found.append(Seen(method, target, body))
        return found


class Workers:
    """Own workers, with an application that remembers."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def seen(self) -> list[Seen]:
        """By its own word."""
        page = json.loads(exchange(self.server.address, http_request(target="/witness")).body)
        return [
            Seen(one["REQUEST_METHOD"], one["REQUEST_URI"], one["body"].encode("latin-1")) for one in page
        ]


@pytest.fixture(scope="module", params=["recording", "workers"])
def behind(request: pytest.FixtureRequest) -> Iterator[Behind]:
    """Both kinds."""
    if request.param == "workers":
        with Server.start("witness:application", "--threads", "4", "--deny", "192.0.2.66") as server:
            yield Workers(server)
    else:
        with Backend() as backend, Server.start("front", "--upstream", backend.url) as server:
            yield Recording(server, backend)


#: All but the beginning of HTTP/2, which the front speaks.
REFUSED = [case for case in refused.CASES if case.name != "h2-preface"]


@pytest.mark.parametrize("send", [at_once, byte_by_byte])
@pytest.mark.parametrize("case", REFUSED, ids=[case.name for case in REFUSED])
def test_nothing_of_what_is_refused_gets_through(
    behind: Behind, case: Refused, send: Callable[[Connection, bytes], None]
) -> None:
    before = len(behind.seen())
    with Connection(behind.server.address) as connection:
        send(connection, case.request + CANARY)
        assert connection.read_response().status == case.status
        connection.assert_closed()
    assert exchange(behind.server.address, http_request(target="/next")).status == 200
    assert behind.seen()[before:] == [Seen("GET", "/next", b"")]


PSEUDO = ((":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "a"))
HIDDEN = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"


def pseudo(**other: str) -> tuple[tuple[str, str], ...]:
    """A head with other pseudo-fields."""
    return tuple((name, other.get(name[1:], value)) for name, value in PSEUDO)


def fields(*added: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """A head with more fields."""
    return (*PSEUDO, *added)


#: Heads of HTTP/2 that must not become HTTP/1 (RFC 9113 sections 8.1 to 8.3), each with the body "xx".
DOWNGRADES: dict[str, tuple[tuple[str, str], ...]] = {
    "value-crlf": fields(("x-a", f"b\r\n\r\n{HIDDEN}")),
    "value-crlf-field": fields(("x-a", "b\r\ntransfer-encoding: chunked")),
    "value-lf": fields(("x-a", "b\ncontent-length: 0")),
    "value-cr": fields(("x-a", "b\rcontent-length: 0")),
    "value-nul": fields(("x-a", "b\0c")),
    "name-crlf": fields(("x-a: b\r\nx-c", "d")),
    "name-lf": fields(("x-a\nx-c", "d")),
    "name-colon": fields(("x-a:b", "c")),
    "name-space": fields(("content-length ", "0")),
    "name-upper-case": fields(("Content-Length", "0")),
    "name-empty": fields(("", "a")),
    "name-nul": fields(("x\0a", "b")),
    "path-crlf": pseudo(path=f"/ HTTP/1.1\r\nHost: a\r\n\r\n{HIDDEN}"),
    "path-space": pseudo(path="/hidden HTTP/1.1"),
    "path-lf": pseudo(path="/\nx"),
    "path-tab": pseudo(path="/\tx"),
    "path-nul": pseudo(path="/\0"),
    "path-empty": pseudo(path=""),
    "path-relative": pseudo(path="hidden"),
    "path-absolute": pseudo(path="http://b/"),
    "path-asterisk-of-post": pseudo(path="*"),
    "method-space": pseudo(method="GET /hidden HTTP/1.1\r\nHost: a\r\n\r\nPOST"),
    "method-crlf": pseudo(method="PO\r\nST"),
    "method-empty": pseudo(method=""),
    "authority-crlf": pseudo(authority="a\r\nx-b: c"),
    "authority-space": pseudo(authority="a b"),
    "authority-slash": pseudo(authority="a/b"),
    "authority-userinfo": pseudo(authority="a@b"),
    "scheme-crlf": pseudo(scheme="http\r\nx-a: b"),
    "host-differs": fields(("host", "b")),
    "host-twice": fields(("host", "a"), ("host", "b")),
    "transfer-encoding": fields(("transfer-encoding", "chunked")),
    "transfer-encoding-and-length": fields(("content-length", "2"), ("transfer-encoding", "chunked")),
    "te-chunked": fields(("te", "chunked")),
    "te-trailers-and-more": fields(("te", "trailers, chunked")),
    "connection": fields(("connection", "x-a")),
    "keep-alive": fields(("keep-alive", "timeout=5")),
    "proxy-connection": fields(("proxy-connection", "keep-alive")),
    "upgrade": fields(("upgrade", "websocket")),
    "length-too-small": fields(("content-length", "1")),
    "length-too-large": fields(("content-length", "3")),
    "length-twice": fields(("content-length", "2"), ("content-length", "2")),
    "length-two": fields(("content-length", "2"), ("content-length", "3")),
    "length-list": fields(("content-length", "2, 2")),
    "length-plus": fields(("content-length", "+2")),
    "length-minus": fields(("content-length", "-2")),
    "length-hex": fields(("content-length", "0x2")),
    "length-empty": fields(("content-length", "")),
    "length-overflow": fields(("content-length", "18446744073709551618")),
    "pseudo-after-fields": (*PSEUDO[:3], ("x-a", "b"), PSEUDO[3]),
    "pseudo-twice": (*PSEUDO, (":path", "/hidden")),
    "pseudo-unknown": (*PSEUDO, (":x", "y")),
    "pseudo-of-an-answer": (*PSEUDO, (":status", "200")),
    "pseudo-missing": PSEUDO[:2],
    "connect": pseudo(method="CONNECT"),
}


@pytest.mark.parametrize("name", DOWNGRADES)
def test_a_head_of_http2_that_http1_would_misread(behind: Behind, name: str) -> None:
    before = len(behind.seen())
    with Http2(behind.server.address) as client:
        client.send(frame(HEADERS, END_HEADERS, 1, block(DOWNGRADES[name])))
        client.send(frame(DATA, END_STREAM, 1, b"xx"))
        answer = b""
        while (one := client.read_frame()) is not None:
            if one.kind in (RST_STREAM, GOAWAY):
                break
            if one.kind == DATA and one.stream == 1:
                answer += one.payload
                if one.flags & END_STREAM:
                    break
        assert answer[:2] in (b"", b"40", b"41", b"43", b"50"), answer
    assert exchange(behind.server.address, http_request(target="/next")).status == 200
    assert behind.seen()[before:] == [Seen("GET", "/next", b"")]


def test_a_body_where_none_was_announced_is_not_passed_on(behind: Behind) -> None:
    """The request may have gone by then, as its head says it is: without a body."""
    before = len(behind.seen())
    with Http2(behind.server.address) as client:
        client.send(frame(HEADERS, END_HEADERS, 1, block(fields(("content-length", "0")))))
        client.send(frame(DATA, END_STREAM, 1, b"xx"))
        client.frames(until=RST_STREAM, stream=1)
    assert behind.seen()[before:] in ([], [Seen("POST", "/", b"")])


#: Heads that are right, what becomes of the request line, and of the body, which comes in these pieces.
RIGHT: dict[str, tuple[tuple[tuple[str, str], ...], list[bytes], Seen]] = {
    "plain": (PSEUDO, [b"xx"], Seen("POST", "/", b"xx")),
    "announced": (fields(("content-length", "2")), [b"xx"], Seen("POST", "/", b"xx")),
    "in-pieces": (PSEUDO, [b"a", b"", b"bc", b"d"], Seen("POST", "/", b"abcd")),
    "empty": (PSEUDO, [b""], Seen("POST", "/", b"")),
    "chunks-as-data": (
        PSEUDO,
        [b"0\r\n\r\n", HIDDEN.encode()],
        Seen("POST", "/", b"0\r\n\r\n" + HIDDEN.encode()),
    ),
    "te-trailers": (fields(("te", "trailers")), [b"xx"], Seen("POST", "/", b"xx")),
    "escapes-stay": (pseudo(path="/%0d%0aX:%20y?a=%00"), [b"xx"], Seen("POST", "/%0d%0aX:%20y?a=%00", b"xx")),
    "latin-1": (fields(("x-a", "\u00e9\u00ff")), [b"xx"], Seen("POST", "/", b"xx")),
    "cookies": (fields(("cookie", "a=1"), ("cookie", "b=2")), [b"xx"], Seen("POST", "/", b"xx")),
    "expect": (fields(("expect", "100-continue")), [b"xx"], Seen("POST", "/", b"xx")),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_request_of_http2_is_one_request(behind: Behind, name: str) -> None:
    head, pieces, expected = RIGHT[name]
    before = len(behind.seen())
    with Http2(behind.server.address) as client:
        client.send(frame(HEADERS, END_HEADERS, 1, block(head)))
        for piece in pieces[:-1]:
            client.send(frame(DATA, 0, 1, piece))
        client.send(frame(DATA, END_STREAM, 1, pieces[-1]))
        client.frames(until=HEADERS, stream=1)
        client.request(3)
        client.frames(until=HEADERS, stream=3)
    assert behind.seen()[before:] == [expected, Seen("GET", "/hello", b"")]


def test_trailers_of_http2_are_no_fields(behind: Behind) -> None:
    before = len(behind.seen())
    with Http2(behind.server.address) as client:
        client.send(frame(HEADERS, END_HEADERS, 1, block(PSEUDO)) + frame(DATA, 0, 1, b"xx"))
        client.send(
            frame(HEADERS, END_HEADERS | END_STREAM, 1, block((("content-length", "9"), ("x-a", "b"))))
        )
        client.frames(until=HEADERS, stream=1)
    assert behind.seen()[before:] == [Seen("POST", "/", b"xx")]


@pytest.mark.parametrize("target", ["/denied", "/limited"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_the_body_of_a_refused_request_is_no_request(target: str, framing: str) -> None:
    hidden = HIDDEN.encode()
    fields = {"Transfer-Encoding": "chunked"} if framing == "chunked" else None
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(hidden), hidden) if fields else hidden
    options = ("--deny", "/denied=127.0.0.1", "--limit-requests", "/limited=1/h")
    with Backend() as backend, Server.start("front", "--upstream", backend.url, *options) as server:
        exchange(server.address, http_request(target="/limited"))
        before = len(backend.heads)
        with Connection(server.address) as connection:
            connection.send(http_request("POST", target, fields, body) + CANARY)
            assert connection.read_response("POST").status in (403, 429)
            connection.assert_closed()
        assert len(backend.heads) == before
