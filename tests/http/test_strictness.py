"""Malformed and ambiguous heads are refused: the right status, a closed connection, one log line that says why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.wire import Connection, http_request

if TYPE_CHECKING:
    from tests.server import Server


@dataclass(frozen=True)
class Case:
    """Bytes on the wire, the status they get, and a word of the reason in the log."""

    name: str
    request: bytes
    status: int
    reason: str


def get(fields: bytes = b"", target: bytes = b"/", line: bytes | None = None) -> bytes:
    return (line or b"GET " + target + b" HTTP/1.1") + b"\r\nHost: a\r\n" + fields + b"\r\n"


def post(fields: bytes, body: bytes = b"") -> bytes:
    return b"POST /echo HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n" + body


CHUNK = b"1\r\nx\r\n0\r\n\r\n"
CASES = [
    Case("host-missing", b"GET / HTTP/1.1\r\n\r\n", 400, "Host"),
    Case("host-repeated", get(b"Host: b\r\n"), 400, "Host"),
    Case("host-repeated-equal", get(b"Host: a\r\n"), 400, "Host"),
    Case("host-empty", b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, "Host"),
    Case("host-malformed-space", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "Host"),
    Case("host-malformed-slash", b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "Host"),
    Case("host-malformed-at", b"GET / HTTP/1.1\r\nHost: user@a\r\n\r\n", 400, "Host"),
    Case("host-malformed-port", b"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400, "Host"),
    Case(
        "length-and-encoding",
        post(b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", CHUNK),
        400,
        "both",
    ),
    Case(
        "encoding-and-length",
        post(b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", CHUNK),
        400,
        "both",
    ),
    Case("two-lengths", post(b"Content-Length: 1\r\nContent-Length: 2\r\n", b"xx"), 400, "Content-Length"),
    Case(
        "two-equal-lengths", post(b"Content-Length: 1\r\nContent-Length: 1\r\n", b"x"), 400, "Content-Length"
    ),
    Case("length-list", post(b"Content-Length: 1, 1\r\n", b"x"), 400, "Content-Length"),
    Case("length-plus", post(b"Content-Length: +1\r\n", b"x"), 400, "Content-Length"),
    Case("length-minus", post(b"Content-Length: -1\r\n", b"x"), 400, "Content-Length"),
    Case("length-hex", post(b"Content-Length: 0x1\r\n", b"x"), 400, "Content-Length"),
    Case("length-underscore", post(b"Content-Length: 1_0\r\n", b"x" * 10), 400, "Content-Length"),
    Case("length-empty", post(b"Content-Length:\r\n"), 400, "Content-Length"),
    Case("length-words", post(b"Content-Length: 1 1\r\n", b"x"), 400, "Content-Length"),
    Case("length-huge", post(b"Content-Length: 99999999999999999999\r\n"), 400, "Content-Length"),
    Case("encoding-x", post(b"Transfer-Encoding: xchunked\r\n", CHUNK), 501, "coding"),
    Case("encoding-gzip-chunked", post(b"Transfer-Encoding: gzip, chunked\r\n", CHUNK), 501, "coding"),
    Case("encoding-gzip", post(b"Transfer-Encoding: gzip\r\n", CHUNK), 501, "coding"),
    Case("encoding-identity", post(b"Transfer-Encoding: identity\r\n"), 501, "(?i:coding)"),
    Case("encoding-twice", post(b"Transfer-Encoding: chunked, chunked\r\n", CHUNK), 400, "Transfer-Encoding"),
    Case("encoding-two-fields", post(b"Transfer-Encoding: chunked\r\n" * 2, CHUNK), 400, "Transfer-Encoding"),
    Case("encoding-first", post(b"Transfer-Encoding: chunked, gzip\r\n", CHUNK), 400, "(?i:coding)"),
    Case("encoding-empty", post(b"Transfer-Encoding:\r\n", CHUNK), 400, "Transfer-Encoding"),
    Case("encoding-quoted", post(b'Transfer-Encoding: "chunked"\r\n', CHUNK), 400, "(?i:coding)"),
    Case("encoding-parameter", post(b"Transfer-Encoding: chunked;a=b\r\n", CHUNK), 400, "(?i:coding)"),
    Case("encoding-vertical-tab", post(b"Transfer-Encoding: \x0bchunked\r\n", CHUNK), 400, "control"),
    Case("obs-fold", get(b"X-A: 1\r\n 2\r\n"), 400, "fold"),
    Case("obs-fold-first", b"GET / HTTP/1.1\r\n X: 1\r\nHost: a\r\n\r\n", 400, "field"),
    Case("space-before-colon", get(b"X-A : 1\r\n"), 400, "space"),
    Case("tab-before-colon", get(b"X-A\t: 1\r\n"), 400, "token"),
    Case("space-in-name", get(b"X A: 1\r\n"), 400, "token"),
    Case("no-colon", get(b"X-A\r\n"), 400, "token"),
    Case("empty-name", get(b": 1\r\n"), 400, "token"),
    Case("name-latin1", get(b"X-\xe9: 1\r\n"), 400, "token"),
    Case("bare-lf", b"GET / HTTP/1.1\nHost: a\n\n", 400, "LF"),
    Case("bare-lf-in-fields", b"GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n", 400, "LF"),
    Case("bare-lf-at-end", b"GET / HTTP/1.1\r\nHost: a\r\n\n", 400, "LF"),
    Case("bare-cr", get(b"X-A: 1\rX-B: 2\r\n"), 400, "control"),
    Case("nul-in-value", get(b"X-A: 1\x002\r\n"), 400, "control"),
    Case("nul-in-name", get(b"X\x00A: 1\r\n"), 400, "token"),
    Case("del-in-value", get(b"X-A: \x7f\r\n"), 400, "control"),
    Case("version-1.2", get(line=b"GET / HTTP/1.2"), 505, "version"),
    Case("version-2.0", get(line=b"GET / HTTP/2.0"), 505, "version"),
    Case("version-0.9", get(line=b"GET / HTTP/0.9"), 505, "version"),
    Case("version-lower", get(line=b"GET / http/1.1"), 400, "request line|version"),
    Case("version-odd", get(line=b"GET / HTTP/1.10"), 400, "request line|version"),
    Case("version-missing", get(line=b"GET /"), 400, "request line"),
    Case("two-spaces", get(line=b"GET  / HTTP/1.1"), 400, "request line|target"),
    Case("space-in-target", get(target=b"/a b"), 400, "request line|target"),
    Case("trailing-space", get(line=b"GET / HTTP/1.1 "), 400, "request line|version|target"),
    Case("tab-separated", get(line=b"GET\t/\tHTTP/1.1"), 400, "request line|method"),
    Case("method-malformed", get(line=b"GE(T / HTTP/1.1"), 400, "method"),
    Case("target-raw-utf8", get(target="/café".encode()), 400, "target"),
    Case("target-control", get(target=b"/a\x01b"), 400, "target|control"),
    Case("target-bad-escape", get(target=b"/%zz"), 400, "percent"),
    Case("target-short-escape", get(target=b"/%a"), 400, "percent"),
    Case("target-nul", get(target=b"/a%00b"), 400, "NUL"),
    Case("target-relative", get(target=b"index.html"), 400, "target"),
    Case("target-asterisk", get(target=b"*"), 400, "target"),
    Case("target-authority", get(target=b"a.example:80"), 400, "target"),
    Case("target-userinfo", get(target=b"http://user@a/"), 400, "(?i:authority|target|Host)"),
    Case("connect", get(line=b"CONNECT a.example:443 HTTP/1.1"), 501, "CONNECT"),
    Case("content-type-twice", get(b"Content-Type: a/b\r\nContent-Type: c/d\r\n"), 400, "Content-Type"),
    Case("h2-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "version"),
    Case("ssh-banner", b"SSH-2.0-OpenSSH_9.6\r\n\r\n", 400, "request line"),
    Case("first-byte", b"\x80\x81\x82\x83 / HTTP/1.1\r\n\r\n", 400, "first byte"),
    Case("blank-lines", b"\r\n" * 100 + get(), 400, "empty lines"),
]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_refused(server: Server, case: Case) -> None:
    mark = server.log.mark()
    with Connection(server.address) as connection:
        connection.send(case.request)
        response = connection.read_response()
        assert response.status == case.status
        assert response.closes
        connection.assert_closed()
    found = server.log.wait_for(rf"^.*\[(\w+)\].*({case.reason}).*$", mark)
    assert len(server.log.lines(mark)) == 1, server.log.text(mark)
    assert "127.0.0.1" in found[0], "the line names the peer"


def test_what_follows_a_refused_request_is_never_served(server: Server) -> None:
    before = calls(server)
    for case in CASES:
        with Connection(server.address) as connection:
            connection.send(case.request + http_request(target="/calls") * 3)
            connection.read_response()
            connection.assert_closed()
    assert calls(server) == before + 1


@pytest.mark.parametrize(
    "request_",
    [
        get(b"X-A: \xe9\xff\r\n"),
        get(b"X-A:\t 1 \t\r\n"),
        get(b"X-A:\r\n"),
        get(b"X-!#$%&'*+-.^_`|~09: 1\r\n"),
        get(target=b"/?q=100%&r=%zz"),
        get(target=b"//double//slash"),
        get(target=b"/?" + b"a" * 4000),
        get(target=b'/~[]{}|^`"<>\\'),
        get(line=b"get / HTTP/1.1"),
        b"GET / HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: A.Example:80\r\n\r\n",
    ],
    ids=str,
)
def test_odd_but_right(client: Connection, request_: bytes) -> None:
    client.send(request_)
    assert client.read_response().status in (200, 404)
    client.send(http_request())
    assert client.read_response().body == b"hello"


@pytest.mark.parametrize("length", [1, 14, 20, 30])
def test_a_head_that_ends_early_is_logged(server: Server, length: int) -> None:
    """A clean close, but not a silent one."""
    mark = server.log.mark()
    with Connection(server.address) as connection:
        connection.send(http_request(target="/calls")[:length])
        connection.half_close()
        rest = connection.read_to_end()
    assert rest == b"" or rest.startswith(b"HTTP/1.1 400 ")
    server.log.wait_for("127.0.0.1", mark, timeout=2.0)
    assert len(server.log.lines(mark)) == 1


def test_a_tls_hello_is_named(server: Server) -> None:
    """What a browser sends to https:// on a plain port."""
    mark = server.log.mark()
    hello = bytes.fromhex("16030100f8010000f40303") + bytes(32) + bytes.fromhex("20") + bytes(100)
    with Connection(server.address) as connection:
        connection.send(hello)
        connection.read_to_end()
    server.log.wait_for("TLS", mark)
    assert len(server.log.lines(mark)) == 1


def calls(server: Server) -> int:
    with Connection(server.address) as connection:
        connection.send(http_request(target="/calls"))
        return int(connection.read_response().body)
