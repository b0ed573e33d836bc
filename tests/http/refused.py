"""Bytes that must be refused, in the order of the grammar: each with the status it gets and a word of the reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Refused:
    """Bytes on the wire, the status they get, and a pattern found in the one log line."""

    name: str
    request: bytes
    status: int
    reason: str


def line(text: bytes) -> bytes:
    """A head with this request line."""
    return text + b"\r\nHost: a\r\n\r\n"


def target(text: bytes, method: bytes = b"GET") -> bytes:
    """A head with this target."""
    return line(method + b" " + text + b" HTTP/1.1")


def get(fields: bytes) -> bytes:
    """A head with these field lines, each ended as it is given."""
    return b"GET / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n"


def host(fields: bytes, start: bytes = b"GET / HTTP/1.1") -> bytes:
    """A head with these lines for Host."""
    return start + b"\r\n" + fields + b"\r\n"


def post(fields: bytes, body: bytes = b"") -> bytes:
    """A request with a body, framed by these fields."""
    return b"POST / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n" + body


def length(value: bytes, body: bytes = b"xx") -> bytes:
    """A request with this Content-Length."""
    return post(b"Content-Length: " + value + b"\r\n", body)


def coding(value: bytes, body: bytes = b"1\r\nx\r\n0\r\n\r\n") -> bytes:
    """A request with this Transfer-Encoding."""
    return post(b"Transfer-Encoding: " + value + b"\r\n", body)


def chunks(body: bytes) -> bytes:
    """A request with this chunked body."""
    return coding(b"chunked", body)


#: A whole chunked body, for what must be refused although it is right.
CHUNKED = b"1\r\nx\r\n0\r\n\r\n"
#: A request inside of what must not be taken for one.
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"

REQUEST_LINE = [
    Refused("empty-lines", b"\r\n\r\n\r\n" + line(b"GET / HTTP/1.1"), 400, "empty lines"),
    Refused("leading-lf", b"\n" + line(b"GET / HTTP/1.1"), 400, "LF"),
    Refused("leading-space", b" " + line(b"GET / HTTP/1.1"), 400, "first byte|request line|method"),
    Refused("version-0.9", line(b"GET / HTTP/0.9"), 505, "version"),
    Refused("version-1.2", line(b"GET / HTTP/1.2"), 505, "version"),
    Refused("version-2.0", line(b"GET / HTTP/2.0"), 505, "version"),
    Refused("version-9.9", line(b"GET / HTTP/9.9"), 505, "version"),
    Refused("version-lower-case", line(b"GET / http/1.1"), 400, "request line"),
    Refused("version-two-digits", line(b"GET / HTTP/1.10"), 400, "request line"),
    Refused("version-leading-zero", line(b"GET / HTTP/01.1"), 400, "request line"),
    Refused("version-without-minor", line(b"GET / HTTP/1"), 400, "request line"),
    Refused("version-comma", line(b"GET / HTTP/1,1"), 400, "request line"),
    Refused("version-space", line(b"GET / HTTP /1.1"), 400, "request line"),
    Refused("version-of-another-protocol", line(b"GET / RTSP/1.0"), 400, "request line"),
    Refused("version-missing", line(b"GET /"), 400, "request line"),
    Refused("simple-request", b"GET /\r\n\r\n", 400, "request line"),
    Refused("method-alone", line(b"GET"), 400, "request line"),
    Refused("method-missing", line(b"/ HTTP/1.1"), 400, "request line|method"),
    Refused("two-spaces-before-target", line(b"GET  / HTTP/1.1"), 400, "target"),
    Refused("two-spaces-after-target", line(b"GET /  HTTP/1.1"), 400, "target"),
    Refused("trailing-space", line(b"GET / HTTP/1.1 "), 400, "request line"),
    Refused("tabs-for-spaces", line(b"GET\t/\tHTTP/1.1"), 400, "request line"),
    Refused("form-feed-for-space", line(b"GET\x0c/ HTTP/1.1"), 400, "request line"),
    Refused("method-parenthesis", line(b"GE(T / HTTP/1.1"), 400, "method"),
    Refused("method-colon", line(b"GET: / HTTP/1.1"), 400, "method"),
    Refused("method-quoted", line(b'"GET" / HTTP/1.1'), 400, "method"),
    Refused("method-slash", line(b"GET/ / HTTP/1.1"), 400, "method"),
    Refused("method-latin1", line(b"G\xc9T / HTTP/1.1"), 400, "method"),
    Refused("method-nul", line(b"G\0T / HTTP/1.1"), 400, "method"),
    Refused("method-control", line(b"GET\x1b / HTTP/1.1"), 400, "method"),
    Refused("line-cr", line(b"GET /\r HTTP/1.1"), 400, "target"),
    Refused("line-cr-cr-lf", b"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400, "request line"),
    Refused("target-missing", line(b"GET  HTTP/1.1"), 400, "target|request line"),
    Refused("target-space", target(b"/a b"), 400, "target"),
    Refused("target-tab", target(b"/a\tb"), 400, "target"),
    Refused("target-control", target(b"/a\x01b"), 400, "target"),
    Refused("target-escape", target(b"/\x1b[31m"), 400, "target"),
    Refused("target-nul", target(b"/a\0b"), 400, "target"),
    Refused("target-del", target(b"/a\x7fb"), 400, "target"),
    Refused("target-raw-utf8", target("/café".encode()), 400, "target"),
    Refused("target-raw-utf8-in-query", target("/?q=é".encode()), 400, "target"),
    Refused("target-bad-escape", target(b"/%zz"), 400, "percent"),
    Refused("target-short-escape", target(b"/%a"), 400, "percent"),
    Refused("target-lone-percent", target(b"/100%"), 400, "percent"),
    Refused("target-percent-u", target(b"/%u0041"), 400, "percent"),
    Refused("target-escaped-nul", target(b"/a%00b"), 400, "NUL"),
    Refused("target-relative", target(b"index.html"), 400, "target"),
    Refused("target-query-alone", target(b"?q=1"), 400, "target"),
    Refused("target-fragment-alone", target(b"#a"), 400, "target"),
    Refused("target-backslash", target(b"\\a"), 400, "target"),
    Refused("target-asterisk", target(b"*"), 400, "target"),
    Refused("target-asterisk-path", target(b"*/a", b"OPTIONS"), 400, "target"),
    Refused("target-authority", target(b"a.example:80"), 400, "target"),
    Refused("target-userinfo", target(b"http://user@a/"), 400, "authority"),
    Refused("target-password", target(b"http://user:secret@a/"), 400, "authority"),
    Refused("target-without-authority", target(b"http:///a"), 400, "authority"),
    Refused("target-bad-port", target(b"http://a:b/"), 400, "authority"),
    Refused("target-huge-port", target(b"http://a:65536/"), 400, "authority"),
    Refused("target-bad-address", target(b"http://[::zz]/"), 400, "authority"),
    Refused("target-open-bracket", target(b"http://[::1/"), 400, "authority"),
    Refused("target-another-scheme", target(b"ftp://a/"), 400, "target"),
    Refused("target-file-scheme", target(b"file:///etc/passwd"), 400, "target"),
    Refused("target-one-slash", target(b"http:/a"), 400, "target"),
    Refused("connect", target(b"a.example:443", b"CONNECT"), 501, "CONNECT"),
    Refused("connect-to-a-path", target(b"/", b"CONNECT"), 501, "CONNECT"),
    Refused("h2-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "version"),
]

HOST = [
    Refused("host-missing", host(b""), 400, "Host"),
    Refused("host-twice", host(b"Host: a\r\nHost: b\r\n"), 400, "Host"),
    Refused("host-twice-alike", host(b"Host: a\r\nHost: a\r\n"), 400, "Host"),
    Refused("host-twice-by-case", host(b"Host: a\r\nHOST: b\r\n"), 400, "Host"),
    Refused("host-twice-in-1.0", host(b"Host: a\r\nHost: b\r\n", b"GET / HTTP/1.0"), 400, "Host"),
    Refused(
        "host-twice-in-absolute-form", host(b"Host: a\r\nHost: b\r\n", b"GET http://a/ HTTP/1.1"), 400, "Host"
    ),
    Refused("host-missing-in-absolute-form", host(b"", b"GET http://a/ HTTP/1.1"), 400, "Host"),
    Refused("host-empty", host(b"Host:\r\n"), 400, "Host"),
    Refused("host-blank", host(b"Host: \t \r\n"), 400, "Host"),
    Refused("host-space", host(b"Host: a b\r\n"), 400, "Host"),
    Refused("host-list", host(b"Host: a, b\r\n"), 400, "Host"),
    Refused("host-slash", host(b"Host: a/b\r\n"), 400, "Host"),
    Refused("host-query", host(b"Host: a?b\r\n"), 400, "Host"),
    Refused("host-fragment", host(b"Host: a#b\r\n"), 400, "Host"),
    Refused("host-backslash", host(b"Host: a\\b\r\n"), 400, "Host"),
    Refused("host-userinfo", host(b"Host: user@a\r\n"), 400, "Host"),
    Refused("host-scheme", host(b"Host: http://a\r\n"), 400, "Host"),
    Refused("host-port-alone", host(b"Host: :80\r\n"), 400, "Host"),
    Refused("host-bad-port", host(b"Host: a:b\r\n"), 400, "Host"),
    Refused("host-signed-port", host(b"Host: a:+80\r\n"), 400, "Host"),
    Refused("host-huge-port", host(b"Host: a:65536\r\n"), 400, "Host"),
    Refused("host-two-ports", host(b"Host: a:80:80\r\n"), 400, "Host"),
    Refused("host-open-bracket", host(b"Host: [::1\r\n"), 400, "Host"),
    Refused("host-bare-ipv6", host(b"Host: ::1\r\n"), 400, "Host"),
    Refused("host-raw-utf8", host("Host: é.example\r\n".encode()), 400, "Host"),
    Refused("host-angle-bracket", host(b"Host: <script>\r\n"), 400, "Host"),
]

FIELDS = [
    Refused("obs-fold", get(b"X-A: 1\r\n 2\r\n"), 400, "fold"),
    Refused("obs-fold-tab", get(b"X-A: 1\r\n\t2\r\n"), 400, "fold"),
    Refused("obs-fold-empty", get(b"X-A: 1\r\n \r\n"), 400, "fold"),
    Refused("obs-fold-first", host(b" X: 1\r\nHost: a\r\n"), 400, "fold"),
    Refused(
        "obs-fold-of-a-coding",
        post(b"Transfer-Encoding:\r\n chunked\r\nContent-Length: 1\r\n", CHUNKED),
        400,
        "fold",
    ),
    Refused(
        "options-expect-obs-fold",
        b"OPTIONS / HTTP/1.1\r\nHost: a\r\nExpect:\r\n 100-continue\r\nContent-Length: 9\r\n\r\n" + HIDDEN,
        400,
        "fold",
    ),
    Refused("space-before-colon", get(b"X-A : 1\r\n"), 400, "token"),
    Refused("tab-before-colon", get(b"X-A\t: 1\r\n"), 400, "token"),
    Refused(
        "space-before-colon-of-a-coding",
        post(b"Transfer-Encoding : chunked\r\nContent-Length: 1\r\n", CHUNKED),
        400,
        "token",
    ),
    Refused("space-in-name", get(b"X A: 1\r\n"), 400, "token"),
    Refused("no-colon", get(b"X-A\r\n"), 400, "token"),
    Refused("empty-name", get(b": 1\r\n"), 400, "token"),
    Refused("name-latin1", get(b"X-\xe9: 1\r\n"), 400, "token"),
    Refused("name-nul", get(b"X\0A: 1\r\n"), 400, "token"),
    Refused("name-parenthesis", get(b"X(A): 1\r\n"), 400, "token"),
    Refused("name-slash", get(b"X/A: 1\r\n"), 400, "token"),
    Refused("name-quoted", get(b'"X": 1\r\n'), 400, "token"),
    Refused("name-comma", get(b"X,A: 1\r\n"), 400, "token"),
    Refused("value-nul", get(b"X-A: 1\x002\r\n"), 400, "control"),
    Refused("value-bell", get(b"X-A: 1\x072\r\n"), 400, "control"),
    Refused("value-escape", get(b"X-A: \x1b[31m\r\n"), 400, "control"),
    Refused("value-vertical-tab", get(b"X-A: \x0b1\r\n"), 400, "control"),
    Refused("value-del", get(b"X-A: \x7f\r\n"), 400, "control"),
    Refused("value-bare-cr", get(b"X-A: 1\rX-B: 2\r\n"), 400, "control"),
    Refused("value-cr-before-crlf", get(b"X-A: 1\r\r\n"), 400, "control"),
    Refused("value-backtracking", get(b"Bad-header: " + b"x" * 8000 + b"\x10\r\n"), 400, "control"),
    Refused("bare-lf", b"GET / HTTP/1.1\nHost: a\n\n", 400, "LF"),
    Refused("bare-lf-after-request-line", b"GET / HTTP/1.1\nHost: a\r\n\r\n", 400, "LF"),
    Refused("bare-lf-after-field", b"GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n", 400, "LF"),
    Refused("bare-lf-at-end", b"GET / HTTP/1.1\r\nHost: a\r\n\n", 400, "LF"),
    Refused("bare-lf-before-end", b"GET / HTTP/1.1\r\nHost: a\n\r\n", 400, "LF"),
    Refused("cr-and-another-byte-at-end", b"GET / HTTP/1.1\r\nHost: a\r\n\rX" + HIDDEN, 400, "token"),
    Refused("content-type-twice", get(b"Content-Type: a/b\r\nContent-Type: c/d\r\n"), 400, "Content-Type"),
    Refused("expectation-unknown", post(b"Expect: 200-ok\r\nContent-Length: 2\r\n", b"xx"), 417, "expect"),
    Refused(
        "expectation-list",
        post(b"Expect: 100-continue, x\r\nContent-Length: 2\r\n", b"xx"),
        417,
        "expect",
    ),
    Refused("line-too-long", target(b"/" + b"a" * 8200), 414, "request line"),
    Refused("line-endless", b"GET /" + b"a" * 65_536, 414, "request line"),
    Refused("method-endless", b"A" * 20_000, 414, "request line"),
    Refused("head-too-large", get(b"X-A: " + b"a" * 65_536 + b"\r\n"), 431, "head"),
    Refused("name-endless", b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X" * 70_000, 431, "head"),
    Refused("fields-too-many", get(b"X: 1\r\n" * 100), 431, "fields"),
]

LENGTH = [
    Refused(
        "length-and-coding",
        post(b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", CHUNKED),
        400,
        "both",
    ),
    Refused(
        "coding-and-length",
        post(b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", CHUNKED),
        400,
        "both",
    ),
    Refused(
        "length-and-unknown-coding",
        post(b"Content-Length: 1\r\nTransfer-Encoding: x\r\n", b"x"),
        400,
        "both",
    ),
    Refused(
        "length-zero-and-coding",
        post(b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", HIDDEN),
        400,
        "both",
    ),
    Refused(
        "length-twice", post(b"Content-Length: 1\r\nContent-Length: 2\r\n", b"xx"), 400, "Content-Length"
    ),
    Refused(
        "length-twice-alike",
        post(b"Content-Length: 1\r\nContent-Length: 1\r\n", b"x"),
        400,
        "Content-Length",
    ),
    Refused(
        "length-twice-by-case",
        post(b"Content-Length: 1\r\ncontent-length: 0\r\n", b"x"),
        400,
        "Content-Length",
    ),
    Refused("length-list", length(b"1, 1", b"x"), 400, "Content-Length"),
    Refused("length-list-differs", length(b"2,1"), 400, "Content-Length"),
    Refused("length-trailing-comma", length(b"2,"), 400, "Content-Length"),
    Refused("length-plus", length(b"+2"), 400, "Content-Length"),
    Refused("length-minus", length(b"-2"), 400, "Content-Length"),
    Refused("length-minus-zero", length(b"-0", b""), 400, "Content-Length"),
    Refused("length-hex", length(b"0x2"), 400, "Content-Length"),
    Refused("length-hex-digit", length(b"a", b"x" * 10), 400, "Content-Length"),
    Refused("length-underscore", length(b"1_0", b"x" * 10), 400, "Content-Length"),
    Refused("length-decimal", length(b"2.0"), 400, "Content-Length"),
    Refused("length-exponent", length(b"2e0"), 400, "Content-Length"),
    Refused("length-empty", length(b"", b""), 400, "Content-Length"),
    Refused("length-two-words", length(b"1 1"), 400, "Content-Length"),
    Refused("length-quoted", length(b'"2"'), 400, "Content-Length"),
    Refused("length-superscript", length(b"\xb2"), 400, "Content-Length"),
    Refused("length-arabic-digit", length("\u0661".encode()), 400, "Content-Length"),
    Refused("length-vertical-tab", length(b"\x0b2"), 400, "control"),
    Refused("length-beyond-64-bits", length(b"18446744073709551616", b""), 400, "Content-Length"),
    Refused("length-endless", length(b"9" * 5000, b""), 400, "Content-Length"),
    Refused("length-beyond-the-limit", length(b"9223372036854775807", b""), 413, "max-body"),
    Refused("length-wrong-in-get", get(b"Content-Length: x\r\n"), 400, "Content-Length"),
]

CODING = [
    Refused("coding-unknown", coding(b"xchunked"), 501, "coding"),
    Refused("coding-prefix", coding(b"chunkedx"), 501, "coding"),
    Refused("coding-gzip", coding(b"gzip"), 501, "coding"),
    Refused("coding-identity", coding(b"identity"), 501, "coding"),
    Refused("coding-gzip-chunked", coding(b"gzip, chunked"), 501, "coding"),
    Refused("coding-identity-chunked", coding(b"identity, chunked"), 501, "coding"),
    Refused("coding-chunked-gzip", coding(b"chunked, gzip"), 400, "Transfer-Encoding"),
    Refused("coding-chunked-identity", coding(b"chunked, identity"), 400, "Transfer-Encoding"),
    Refused("coding-chunked-twice", coding(b"chunked, chunked"), 400, "Transfer-Encoding"),
    Refused(
        "coding-two-fields", post(b"Transfer-Encoding: chunked\r\n" * 2, CHUNKED), 400, "Transfer-Encoding"
    ),
    Refused(
        "coding-chunked-then-gzip-field",
        post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n", CHUNKED),
        400,
        "Transfer-Encoding",
    ),
    Refused(
        "coding-gzip-then-chunked-field",
        post(b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", CHUNKED),
        501,
        "coding",
    ),
    Refused("coding-comma-before", coding(b", chunked"), 400, "Transfer-Encoding"),
    Refused("coding-comma-after", coding(b"chunked,"), 400, "Transfer-Encoding"),
    Refused("coding-empty", coding(b""), 400, "Transfer-Encoding"),
    Refused("coding-quoted", coding(b'"chunked"'), 400, "Transfer-Encoding"),
    Refused("coding-single-quoted", coding(b"'chunked'"), 501, "coding"),
    Refused("coding-parameter", coding(b"chunked;a=b"), 400, "Transfer-Encoding"),
    Refused("coding-colon", coding(b": chunked"), 400, "Transfer-Encoding"),
    Refused("coding-vertical-tab", coding(b"\x0bchunked"), 400, "control"),
    Refused("coding-form-feed", coding(b"chunked\x0c"), 400, "control"),
    Refused("coding-no-break-space", coding(b"\xa0chunked"), 400, "Transfer-Encoding"),
    Refused("coding-latin1", coding(b"chunke\xf0"), 400, "Transfer-Encoding"),
    Refused("coding-two-words", coding(b"chunked chunked"), 400, "Transfer-Encoding"),
    Refused(
        "coding-in-1.0",
        b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED,
        400,
        "1.0",
    ),
    Refused(
        "coding-in-1.0-kept-alive",
        b"POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED,
        400,
        "1.0",
    ),
    Refused("coding-unknown-in-get", get(b"Transfer-Encoding: x\r\n"), 501, "coding"),
]

CHUNKS = [
    Refused("chunk-size-letters", chunks(b"ZZ\r\n"), 400, "chunk"),
    Refused("chunk-size-empty", chunks(b"\r\nhello\r\n0\r\n\r\n"), 400, "chunk"),
    Refused("chunk-size-empty-lines", chunks(b"\r\n\r\n" + HIDDEN), 400, "chunk"),
    Refused("chunk-size-minus", chunks(b"-5\r\nhello\r\n0\r\n\r\n"), 400, "chunk"),
    Refused("chunk-size-plus", chunks(b"+5\r\nhello\r\n0\r\n\r\n"), 400, "chunk"),
    Refused("chunk-size-0x", chunks(b"0x5\r\nhello\r\n0\r\n\r\n"), 400, "chunk"),
    Refused("chunk-size-underscore", chunks(b"1_0\r\n" + b"x" * 16 + b"\r\n0\r\n\r\n"), 400, "chunk"),
    Refused("chunk-size-space-before", chunks(b" 5\r\nhello\r\n0\r\n\r\n"), 400, "chunk"),
    Refused("chunk-size-space-after", chunks(b"5 \r\nhello\r\n0\r\n\r\n"), 400, "chunk"),
    Refused("chunk-size-quoted", chunks(b'"5"\r\nhello\r\n0\r\n\r\n'), 400, "chunk"),
    Refused("chunk-size-decimal", chunks(b"5.0\r\nhello\r\n0\r\n\r\n"), 400, "chunk"),
    Refused("chunk-size-nul", chunks(b"5\0\r\nhello\r\n0\r\n\r\n"), 400, "chunk"),
    Refused("chunk-size-comma", chunks(b"5,5\r\nhello\r\n0\r\n\r\n"), 400, "chunk"),
    Refused("chunk-size-seventeen-digits", chunks(b"00000000000000005\r\nhello\r\n0\r\n\r\n"), 400, "chunk"),
    Refused("chunk-size-wraps", chunks(b"10000000000000005\r\nhello\r\n0\r\n\r\n"), 400, "chunk"),
    Refused("chunk-size-beyond-63-bits", chunks(b"8000000000000000\r\nhello"), 413, "chunk"),
    Refused("chunk-size-negative-as-signed", chunks(b"ffffffffffffffff\r\nhello"), 413, "chunk"),
    Refused("chunk-line-bare-lf", chunks(b"5\nhello\r\n0\r\n\r\n"), 400, "chunk"),
    Refused("chunk-line-bare-cr", chunks(b"5\rhello\r\n0\r\n\r\n"), 400, "chunk"),
    Refused("chunk-line-cr-cr-lf", chunks(b"5\r\r\nhello\r\n0\r\n\r\n"), 400, "chunk"),
    Refused("chunk-end-missing", chunks(b"5\r\nhello0\r\n\r\n"), 400, "chunk"),
    Refused("chunk-end-two-bytes", chunks(b"5\r\nhelloXX0\r\n\r\n"), 400, "chunk"),
    Refused("chunk-end-bare-lf", chunks(b"5\r\nhello\n0\r\n\r\n"), 400, "chunk"),
    Refused("chunk-end-cr-x", chunks(b"5\r\nhello\rX0\r\n\r\n"), 400, "chunk"),
    Refused("chunk-longer-than-said", chunks(b"3\r\nhello\r\n0\r\n\r\n"), 400, "chunk"),
    Refused("chunk-last-cr-x", chunks(b"5\r\nhello\r\n0\r\n\rX" + HIDDEN), 400, "trailer"),
    Refused("chunk-last-bare-lf", chunks(b"5\r\nhello\r\n0\n\n"), 400, "chunk"),
    Refused("chunk-last-end-bare-lf", chunks(b"5\r\nhello\r\n0\r\n\n"), 400, "chunk"),
    Refused("chunk-last-two-bytes", chunks(b"5\r\nhello\r\n0\r\nXX\r\n" + HIDDEN), 400, "trailer"),
    Refused("chunk-error-then-a-request", chunks(b"ZZ\r\n0\r\n\r\n" + HIDDEN), 400, "chunk"),
    Refused("chunk-extension-nul", chunks(b"5;\0\r\nhello\r\n0\r\n\r\n"), 400, "chunk"),
    Refused("chunk-extension-control", chunks(b"5;a=\x01\r\nhello\r\n0\r\n\r\n"), 400, "chunk"),
    Refused("chunk-extension-bare-lf", chunks(b"5;a\nb\r\nhello\r\n0\r\n\r\n"), 400, "chunk"),
    Refused("chunk-extension-bare-cr", chunks(b"5;a\rb\r\nhello\r\n0\r\n\r\n"), 400, "chunk"),
    Refused("chunk-extension-without-name", chunks(b"5;\r\nhello\r\n0\r\n\r\n"), 400, "chunk"),
    Refused("chunk-extension-without-value", chunks(b"5;a=\r\nhello\r\n0\r\n\r\n"), 400, "chunk"),
    Refused("chunk-extension-open-quote", chunks(b'5;a="b\r\nhello\r\n0\r\n\r\n'), 400, "chunk"),
    Refused("chunk-extension-quoted-crlf", chunks(b'5;a="\r\nhello\r\n0\r\n\r\n"\r\n'), 400, "chunk"),
    Refused("chunk-extension-latin1-name", chunks(b"5;\xe9\r\nhello\r\n0\r\n\r\n"), 400, "chunk"),
    Refused("chunk-extension-257-bytes", chunks(b"5;" + b"a" * 256 + b"\r\nhello\r\n"), 400, "extension"),
    Refused("chunk-extension-16k", chunks(b"5;" + b"a" * 16_384 + b"\r\nhello\r\n"), 400, "extension"),
    Refused("chunk-extension-endless", chunks(b"5;" + b"a" * 100_000), 400, "extension"),
    Refused("chunk-extensions-many", chunks((b"1;" + b"a" * 200 + b"\r\nx\r\n") * 100), 400, "extension"),
    Refused("trailer-malformed", chunks(b"0\r\nbad trailer\r\n\r\n"), 400, "trailer"),
    Refused("trailer-space-before-colon", chunks(b"0\r\nX : 1\r\n\r\n"), 400, "trailer"),
    Refused("trailer-folded", chunks(b"0\r\nX: 1\r\n 2\r\n\r\n"), 400, "trailer"),
    Refused("trailer-nul", chunks(b"0\r\nX: \0\r\n\r\n"), 400, "trailer"),
    Refused("trailer-bare-lf", chunks(b"0\r\nX: 1\n\r\n"), 400, "chunk"),
    Refused("trailer-length", chunks(b"0\r\nContent-Length: 5\r\n\r\n"), 400, "trailer"),
    Refused("trailer-coding", chunks(b"0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400, "trailer"),
    Refused("trailer-host", chunks(b"0\r\nHost: b\r\n\r\n"), 400, "trailer"),
    Refused("trailers-one-hundred-and-one", chunks(b"0\r\n" + b"X: y\r\n" * 101 + b"\r\n"), 431, "trailer"),
    Refused("trailers-endless", chunks(b"0\r\n" + b"X: y\r\n" * 20_000), 431, "trailer"),
    Refused("trailer-long-line", chunks(b"0\r\nX: " + b"y" * 100_000), 431, "trailer"),
]

CASES = [*REQUEST_LINE, *HOST, *FIELDS, *LENGTH, *CODING, *CHUNKS]
