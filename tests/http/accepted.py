"""Odd bytes that are right: what the application must see of each, and whether the connection goes on after it."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.http.refused import HIDDEN, coding, get, host, length, line, post, target


@dataclass(frozen=True)
class Accepted:
    """Bytes on the wire and some of the variables that come of them; `body` is one of them."""

    name: str
    request: bytes
    saw: dict[str, str | None] = field(default_factory=dict[str, "str | None"])
    closes: bool = False


def http10(fields: bytes = b"", start: bytes = b"GET / HTTP/1.0") -> bytes:
    """An HTTP/1.0 request."""
    return start + b"\r\n" + fields + b"\r\n"


REQUEST_LINE = [
    Accepted("plain", line(b"GET / HTTP/1.1"), {"REQUEST_METHOD": "GET", "SERVER_PROTOCOL": "HTTP/1.1"}),
    Accepted("one-empty-line", b"\r\n" + line(b"GET / HTTP/1.1")),
    Accepted("two-empty-lines", b"\r\n\r\n" + line(b"GET / HTTP/1.1")),
    Accepted("method-unknown", line(b"FROB / HTTP/1.1"), {"REQUEST_METHOD": "FROB"}),
    Accepted("method-lower-case", line(b"get / HTTP/1.1"), {"REQUEST_METHOD": "get"}),
    Accepted(
        "method-every-mark", line(b"!#$%&'*+-.^_`|~9Az / HTTP/1.1"), {"REQUEST_METHOD": "!#$%&'*+-.^_`|~9Az"}
    ),
    Accepted("method-like-connect", line(b"CONNECTED / HTTP/1.1"), {"REQUEST_METHOD": "CONNECTED"}),
    Accepted("method-trace", line(b"TRACE / HTTP/1.1"), {"REQUEST_METHOD": "TRACE"}),
    Accepted("method-search", line(b"M-SEARCH / HTTP/1.1"), {"REQUEST_METHOD": "M-SEARCH"}),
    Accepted("target-query", target(b"/a?b=c&d"), {"PATH_INFO": "/a", "QUERY_STRING": "b=c&d"}),
    Accepted("target-opaque-query", target(b"/?q=100%&r=%zz&s=%00"), {"QUERY_STRING": "q=100%&r=%zz&s=%00"}),
    Accepted("target-two-question-marks", target(b"/a?b?c"), {"PATH_INFO": "/a", "QUERY_STRING": "b?c"}),
    Accepted(
        "target-empty-query", target(b"/a?"), {"PATH_INFO": "/a", "QUERY_STRING": "", "REQUEST_URI": "/a?"}
    ),
    Accepted("target-fragment", target(b"/a?b#c"), {"PATH_INFO": "/a", "QUERY_STRING": "b"}),
    Accepted("target-double-slashes", target(b"//double//slash"), {"PATH_INFO": "//double//slash"}),
    Accepted("target-dots", target(b"/a/../../etc/%2e%2e/b"), {"PATH_INFO": "/a/../../etc/../b"}),
    Accepted("target-escaped-slash", target(b"/a%2Fb"), {"PATH_INFO": "/a/b", "REQUEST_URI": "/a%2Fb"}),
    Accepted("target-escaped-percent", target(b"/a%2541"), {"PATH_INFO": "/a%41"}),
    Accepted("target-escaped-utf8", target(b"/caf%C3%A9"), {"PATH_INFO": "/caf\u00c3\u00a9"}),
    Accepted("target-escaped-latin1", target(b"/caf%e9"), {"PATH_INFO": "/caf\u00e9"}),
    Accepted("target-escaped-crlf", target(b"/a%0d%0ab"), {"PATH_INFO": "/a\r\nb"}),
    Accepted("target-plus", target(b"/a+b"), {"PATH_INFO": "/a+b"}),
    Accepted("target-parameters", target(b"/a;b=c/d"), {"PATH_INFO": "/a;b=c/d"}),
    Accepted("target-odd-marks", target(b'/~[]{}|^`"<>\\'), {"PATH_INFO": '/~[]{}|^`"<>\\'}),
    Accepted("target-colon", target(b"/a:80/http://b"), {"PATH_INFO": "/a:80/http://b"}),
    Accepted("target-long", target(b"/" + b"a" * 8000), {"PATH_INFO": "/" + "a" * 8000}),
    Accepted(
        "absolute-form",
        target(b"http://b.example:81/c?d"),
        {"PATH_INFO": "/c", "QUERY_STRING": "d", "HTTP_HOST": "b.example:81", "REQUEST_URI": "/c?d"},
    ),
    Accepted("absolute-form-https", target(b"https://b/c"), {"PATH_INFO": "/c", "HTTP_HOST": "b"}),
    Accepted("absolute-form-upper-case", target(b"HTTP://b/c"), {"PATH_INFO": "/c", "HTTP_HOST": "b"}),
    Accepted("absolute-form-without-path", target(b"http://b"), {"PATH_INFO": "/", "HTTP_HOST": "b"}),
    Accepted("absolute-form-query-alone", target(b"http://b?c"), {"PATH_INFO": "/", "QUERY_STRING": "c"}),
    Accepted("absolute-form-ipv6", target(b"http://[::1]:8000/"), {"HTTP_HOST": "[::1]:8000"}),
    Accepted("asterisk-form", target(b"*", b"OPTIONS"), {"PATH_INFO": "", "REQUEST_URI": "*"}),
    Accepted("options-of-a-path", target(b"/a", b"OPTIONS"), {"PATH_INFO": "/a"}),
]

HOST = [
    Accepted("host-name", host(b"Host: A.Example:80\r\n"), {"HTTP_HOST": "A.Example:80"}),
    Accepted("host-lower-case-field", host(b"host: a\r\n"), {"HTTP_HOST": "a"}),
    Accepted("host-no-space", host(b"Host:a\r\n"), {"HTTP_HOST": "a"}),
    Accepted("host-ipv4", host(b"Host: 127.0.0.1:65535\r\n"), {"HTTP_HOST": "127.0.0.1:65535"}),
    Accepted("host-ipv6", host(b"Host: [::1]:8000\r\n"), {"HTTP_HOST": "[::1]:8000"}),
    Accepted("host-underscore", host(b"Host: my_service\r\n"), {"HTTP_HOST": "my_service"}),
    Accepted("host-trailing-dot", host(b"Host: a.example.\r\n"), {"HTTP_HOST": "a.example."}),
    Accepted("host-empty-port", host(b"Host: a:\r\n"), {"HTTP_HOST": "a:"}),
    Accepted("host-not-first", host(b"X-A: 1\r\nHost: a\r\n"), {"HTTP_HOST": "a"}),
    Accepted(
        "host-missing-in-1.0", http10(), {"HTTP_HOST": None, "SERVER_PROTOCOL": "HTTP/1.0"}, closes=True
    ),
]

FIELDS = [
    Accepted("value-latin1", get(b"X-A: \xe9\xff\r\n"), {"HTTP_X_A": "\u00e9\u00ff"}),
    Accepted("value-utf8", get("X-A: \u00e9\r\n".encode()), {"HTTP_X_A": "\u00c3\u00a9"}),
    Accepted("value-empty", get(b"X-A:\r\n"), {"HTTP_X_A": ""}),
    Accepted("value-blank", get(b"X-A: \t \r\n"), {"HTTP_X_A": ""}),
    Accepted("value-padded", get(b"X-A:\t 1  2 \t\r\n"), {"HTTP_X_A": "1  2"}),
    Accepted("value-inner-tab", get(b"X-A: 1\t2\r\n"), {"HTTP_X_A": "1\t2"}),
    Accepted("value-colons", get(b"X-A: :1: 2\r\n"), {"HTTP_X_A": ":1: 2"}),
    Accepted("value-long", get(b"X-A: " + b"a" * 60_000 + b"\r\n"), {"HTTP_X_A": "a" * 60_000}),
    Accepted("name-every-mark", get(b"X-!#$%&'*+.^`|~9: 1\r\n"), {"HTTP_X_!#$%&'*+.^`|~9": "1"}),
    Accepted("repeated", get(b"X-A: 1\r\nX-B: 3\r\nx-a: 2\r\n"), {"HTTP_X_A": "1, 2", "HTTP_X_B": "3"}),
    Accepted("repeated-empty", get(b"X-A:\r\nX-A: 2\r\n"), {"HTTP_X_A": ", 2"}),
    Accepted("repeated-cookie", get(b"Cookie: a=1\r\nX: 1\r\nCookie: b=2\r\n"), {"HTTP_COOKIE": "a=1; b=2"}),
    Accepted("underscore", get(b"X_A: 1\r\n"), {"HTTP_X_A": None}),
    Accepted(
        "underscore-for-a-proxys-field",
        get(b"X_Forwarded_For: 6.6.6.6\r\nX-Forwarded-For: 192.0.2.1\r\n"),
        {"HTTP_X_FORWARDED_FOR": "192.0.2.1"},
    ),
    Accepted("underscore-for-a-length", get(b"Content_Length: 5\r\n"), {"CONTENT_LENGTH": None, "body": ""}),
    Accepted("underscore-for-a-coding", get(b"Transfer_Encoding: chunked\r\n"), {"body": ""}),
    Accepted("httpoxy", get(b"Proxy: http://evil.example\r\n"), {"HTTP_PROXY": None}),
    Accepted("fields-one-hundred", get(b"X: 1\r\n" * 99), {"HTTP_X": ", ".join(["1"] * 99)}),
    Accepted("upgrade", get(b"Connection: Upgrade\r\nUpgrade: websocket\r\n"), {"HTTP_UPGRADE": "websocket"}),
    Accepted("connection-names-a-field", get(b"Connection: X-A\r\nX-A: 1\r\n"), {"HTTP_X_A": "1"}),
    Accepted("expect-without-a-body", get(b"Expect: 100-continue\r\n")),
    Accepted("te", get(b"Connection: TE\r\nTE: trailers\r\n"), {"HTTP_TE": "trailers"}),
    Accepted("close", get(b"Connection: close\r\n"), closes=True),
    Accepted("close-in-a-list", get(b"Connection: x, CLOSE ,y\r\n"), closes=True),
    Accepted("close-in-a-second-field", get(b"Connection: x\r\nConnection: close\r\n"), closes=True),
]

BODY = [
    Accepted("length", length(b"2"), {"body": "xx", "CONTENT_LENGTH": "2"}),
    Accepted("length-zero", length(b"0", b""), {"body": ""}),
    Accepted("length-leading-zeros", length(b"0002"), {"body": "xx"}),
    Accepted("length-padded", length(b"\t 2 \t"), {"body": "xx", "CONTENT_LENGTH": "2"}),
    Accepted(
        "length-in-get", get(b"Content-Length: %d\r\n" % len(HIDDEN)) + HIDDEN, {"body": HIDDEN.decode()}
    ),
    Accepted("post-without-length", post(b""), {"body": "", "CONTENT_LENGTH": None}),
    Accepted(
        "chunked", coding(b"chunked"), {"body": "x", "CONTENT_LENGTH": "1", "HTTP_TRANSFER_ENCODING": None}
    ),
    Accepted("chunked-upper-case", coding(b"CHUNKED"), {"body": "x"}),
    Accepted("chunked-padded", coding(b"\t chunked \t"), {"body": "x"}),
    Accepted(
        "chunked-in-get", get(b"Transfer-Encoding: chunked\r\n") + b"1\r\nx\r\n0\r\n\r\n", {"body": "x"}
    ),
    Accepted("chunked-empty", coding(b"chunked", b"0\r\n\r\n"), {"body": "", "CONTENT_LENGTH": "0"}),
    Accepted("chunk-long-zero", coding(b"chunked", b"0000000000000000\r\n\r\n"), {"body": ""}),
    Accepted(
        "chunk-sixteen-digits",
        coding(b"chunked", b"0000000000000005\r\nhello\r\n0\r\n\r\n"),
        {"body": "hello"},
    ),
    Accepted(
        "chunk-digits-of-both-cases",
        coding(b"chunked", b"A\r\n0123456789\r\na\r\nabcdefghij\r\n0\r\n\r\n"),
        {"body": "0123456789abcdefghij"},
    ),
    Accepted(
        "chunk-hides-a-request",
        coding(b"chunked", b"%x\r\n%s\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)),
        {"body": HIDDEN.decode()},
    ),
    Accepted(
        "trailers-one-hundred", coding(b"chunked", b"0\r\n" + b"X: y\r\n" * 100 + b"\r\n"), {"body": ""}
    ),
    Accepted(
        "chunk-extensions",
        coding(b"chunked", b'5;a;b=c;d="e\\"f;" ; g = h\r\nhello\r\n0;last\r\n\r\n'),
        {"body": "hello"},
    ),
    Accepted(
        "chunk-extension-256-bytes",
        coding(b"chunked", b"5;" + b"a" * 255 + b"\r\nhello\r\n0\r\n\r\n"),
        {"body": "hello"},
    ),
    Accepted(
        "trailers",
        coding(b"chunked", b"1\r\nx\r\n0\r\nX-A: 1\r\nCookie: a=1\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n"),
        {"body": "x", "HTTP_X_A": None, "HTTP_COOKIE": None, "HTTP_X_FORWARDED_FOR": None},
    ),
    Accepted(
        "body-in-1.0",
        http10(b"Content-Length: 2\r\n", b"POST / HTTP/1.0") + b"xx",
        {"body": "xx"},
        closes=True,
    ),
    Accepted("post-without-length-in-1.0", http10(b"", b"POST / HTTP/1.0"), {"body": ""}, closes=True),
    Accepted("keep-alive-in-1.0", http10(b"Connection: keep-alive\r\n"), {"SERVER_PROTOCOL": "HTTP/1.0"}),
]

CASES = [*REQUEST_LINE, *HOST, *FIELDS, *BODY]
