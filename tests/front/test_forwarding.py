"""Who the client is, by every field and header that proxies say it with, from peers that are believed and others, on the way
to own workers, to an HTTP upstream and to a uwsgi one: the application sees the truth.
"""

from __future__ import annotations

import json
import socket
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Callable

import pytest

from tests.front.http2_frames import DATA, END_STREAM, Http2
from tests.front.nearby import nearby
from tests.server import Server
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.address import Address

#: Sends a request with these fields, behind these bytes, and gives the environ.
Ask = Callable[..., "dict[str, str]"]

#: The proxy that is listed, and an address that is not.
PROXY, STRANGER = "127.0.0.1", "127.0.0.9"

#: What a client says to be somebody else.
LIES = {
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "666",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Server": "evil",
    "X-Forwarded-User": "root",
    "Forwarded": "for=6.6.6.6;proto=https;host=evil.example",
    "X-Real-IP": "6.6.6.6",
    "True-Client-IP": "6.6.6.6",
    "X-Client-IP": "6.6.6.6",
    "X-Scheme": "https",
    "Front-End-Https": "on",
}


@dataclass(frozen=True)
class Case:
    """What a peer says, and what is true."""

    name: str
    fields: Mapping[str, str]
    address: str
    scheme: str = "http"
    peer: str = PROXY
    #: Fields as the application sees them.
    seen: Mapping[str, str | None] = field(default_factory=dict[str, "str | None"])


LISTED = [
    Case("stranger", {}, STRANGER, peer=STRANGER),
    Case(
        "stranger-lies",
        LIES,
        STRANGER,
        peer=STRANGER,
        seen=dict.fromkeys(set(LIES) - {"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"}),
    ),
    Case(
        "stranger-underscores", {name.replace("-", "_"): LIES[name] for name in LIES}, STRANGER, peer=STRANGER
    ),
    Case("proxy-says-nothing", {}, PROXY),
    Case("for", {"X-Forwarded-For": "192.0.2.1"}, "192.0.2.1"),
    Case("for-behind-a-lie", {"X-Forwarded-For": "6.6.6.6, 192.0.2.1"}, "192.0.2.1"),
    Case("for-behind-a-proxy", {"X-Forwarded-For": "192.0.2.1, 127.0.0.1"}, "192.0.2.1"),
    Case("for-with-port", {"X-Forwarded-For": "192.0.2.1:4711"}, "192.0.2.1"),
    Case("for-ipv6", {"X-Forwarded-For": "[2001:db8::1]:4711"}, "2001:db8::1"),
    Case("for-nobody", {"X-Forwarded-For": "unknown"}, PROXY),
    Case("for-script", {"X-Forwarded-For": "6.6.6.6, <script>"}, PROXY),
    Case("for-by-underscores", {"X_Forwarded_For": "6.6.6.6"}, PROXY),
    Case("proto", {"X-Forwarded-Proto": "https"}, PROXY, "https"),
    Case("proto-nearest", {"X-Forwarded-Proto": "https, http"}, PROXY),
    Case("proto-unknown", {"X-Forwarded-Proto": "gopher"}, PROXY),
    Case("forwarded", {"Forwarded": "for=192.0.2.1;proto=https"}, "192.0.2.1", "https"),
    Case("forwarded-ipv6", {"Forwarded": 'for="[2001:db8::1]:4711"'}, "2001:db8::1"),
    Case("forwarded-chain", {"Forwarded": "for=6.6.6.6, for=192.0.2.1, for=127.0.0.1"}, "192.0.2.1"),
    Case("forwarded-hidden", {"Forwarded": "for=6.6.6.6, for=_hidden"}, PROXY),
    Case("forwarded-quoted", {"Forwarded": 'for="192.0.2.1, for=6.6.6.6"'}, PROXY),
    Case("for-before-forwarded", {"X-Forwarded-For": "192.0.2.1", "Forwarded": "for=6.6.6.6"}, "192.0.2.1"),
    Case("proto-before-forwarded", {"X-Forwarded-Proto": "http", "Forwarded": "proto=https"}, PROXY),
    Case(
        "the-rest-is-passed-on",
        {"X-Forwarded-Host": "a.example", "X-Forwarded-Port": "8443", "X-Forwarded-Prefix": "/shop"},
        PROXY,
        seen={"X-Forwarded-Host": "a.example", "X-Forwarded-Port": "8443", "X-Forwarded-Prefix": "/shop"},
    ),
]

#: Without --forwarded-allow-ips a peer on the same machine is believed about the scheme.
DEFAULT = [
    Case("default-for", {"X-Forwarded-For": "6.6.6.6"}, PROXY),
    Case("default-forwarded", {"Forwarded": "for=6.6.6.6;proto=https"}, PROXY, "https"),
    Case("default-proto", {"X-Forwarded-Proto": "https"}, PROXY, "https"),
]


@pytest.fixture(scope="module")
def application() -> Iterator[Server]:
    """What the upstreams are: it believes the front."""
    with Server.start("environ_page:application", "--forwarded-allow-ips", PROXY) as started:
        yield started


@pytest.fixture(scope="module", params=["workers", "http", "uwsgi"])
def way(request: pytest.FixtureRequest, application: Server) -> tuple[str, ...]:
    """How the front passes requests on."""
    if request.param == "workers":
        # Something that needs a front, and does nothing.
        return ("environ_page:application", "--deny", "192.0.2.66")
    return ("front", "--upstream", f"{request.param}://{application.address}")


@pytest.fixture(scope="module")
def listed(way: tuple[str, ...]) -> Iterator[Server]:
    """A front with a listed proxy; its second address wants PROXY headers."""
    binds = ("--bind", "127.0.0.1:0", "--bind", "127.0.0.1:0+proxy")
    options = ("--forwarded-allow-ips", PROXY, "--proxy-allow-from", PROXY)
    with Server.start(*way, *options, *binds) as started:
        yield started


@pytest.fixture(scope="module")
def default(way: tuple[str, ...]) -> Iterator[Server]:
    """A front as it is by default."""
    with Server.start(*way) as started:
        yield started


def by_http1(address: Address, fields: Mapping[str, str], before: bytes = b"") -> dict[str, str]:
    """The environ of a request by HTTP/1."""
    return values(exchange(address, before + http_request(fields=dict(fields))).body)


def by_http2(address: Address, fields: Mapping[str, str], before: bytes = b"") -> dict[str, str]:
    """The same by HTTP/2."""
    pseudo = ((":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "test.example"))
    with Http2(address, before=before) as client:
        client.request(1, (*pseudo, *((name.lower(), value) for name, value in fields.items())))
        body = b""
        while (frame := client.read_frame()) is not None:
            if frame.kind == DATA:
                body += frame.payload
                if frame.flags & END_STREAM:
                    break
    return values(body)


def values(page: bytes) -> dict[str, str]:
    """Of the application's page."""
    return {key: value for key, (_, value) in json.loads(page).items()}


def check(environ: Mapping[str, str], case: Case) -> None:
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == (case.address, case.scheme)
    assert "6.6.6.6" not in environ.get("HTTP_X_FORWARDED_FOR", "") or case.peer == PROXY
    for name, value in case.seen.items():
        assert environ.get("HTTP_" + name.upper().replace("-", "_")) == value, name
    if case.peer == STRANGER:
        assert environ.get("HTTP_X_FORWARDED_FOR", STRANGER) == STRANGER
        assert environ.get("HTTP_X_FORWARDED_PROTO", "http") == "http"
        assert environ.get("HTTP_X_FORWARDED_HOST", environ["HTTP_HOST"]) == environ["HTTP_HOST"]


@pytest.mark.parametrize("ask", [by_http1, by_http2])
@pytest.mark.parametrize("case", LISTED, ids=[case.name for case in LISTED])
def test_listed_proxies_are_believed_and_nobody_else(listed: Server, case: Case, ask: Ask) -> None:
    check(ask(nearby(listed.address, case.peer), case.fields), case)


@pytest.mark.parametrize("ask", [by_http1, by_http2])
@pytest.mark.parametrize("case", DEFAULT, ids=[case.name for case in DEFAULT])
def test_by_default_the_scheme_is_believed(default: Server, case: Case, ask: Ask) -> None:
    check(ask(default.address, case.fields), case)


def test_what_a_connection_field_names_is_not_lost(listed: Server) -> None:
    """A client cannot have the front's own word removed on the way (CVE-2022-31813)."""
    lies = {**LIES, "Connection": ", ".join(LIES)}
    case = Case("", lies, STRANGER, peer=STRANGER)
    check(by_http1(nearby(listed.address, STRANGER), lies), case)


def version_1(client: str) -> bytes:
    return f"PROXY TCP4 {client} 192.0.2.100 50123 443\r\n".encode()


def version_2(client: str, tlvs: bytes = b"") -> bytes:
    ends = socket.inet_aton(client) + socket.inet_aton("192.0.2.100") + struct.pack("!HH", 50123, 443)
    return b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack("!H", len(ends + tlvs)) + ends + tlvs


#: The client spoke TLS with the balancer (haproxy's proxy-protocol.txt, PP2_TYPE_SSL).
SPOKE_TLS = struct.pack("!BHBI", 0x20, 5, 1, 0)

INTRODUCED: list[tuple[bytes, dict[str, str], str, str]] = [
    (version_1("192.0.2.1"), {}, "192.0.2.1", "http"),
    (version_2("192.0.2.1"), {}, "192.0.2.1", "http"),
    (version_2("192.0.2.1", SPOKE_TLS), {}, "192.0.2.1", "https"),
    # The balancer is believed, and who it names is not.
    (version_1("192.0.2.1"), LIES, "192.0.2.1", "http"),
    (version_2("192.0.2.1", SPOKE_TLS), {"X-Forwarded-Proto": "http"}, "192.0.2.1", "https"),
    # Unless that is a listed proxy behind the balancer.
    (version_2(PROXY), {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}, "192.0.2.7", "https"),
    # A health check of the balancer's own.
    (b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", {}, PROXY, "http"),
]


@pytest.mark.parametrize("ask", [by_http1, by_http2])
@pytest.mark.parametrize("case", INTRODUCED, ids=range(len(INTRODUCED)))
def test_a_proxy_header_names_the_client(
    listed: Server, case: tuple[bytes, Mapping[str, str], str, str], ask: Ask
) -> None:
    header, fields, address, scheme = case
    environ = ask(listed.addresses[1], fields, before=header)
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == (address, scheme)


@pytest.mark.parametrize("header", [version_1("192.0.2.1"), version_2("192.0.2.1")])
def test_a_proxy_header_from_anybody_else_is_refused(listed: Server, header: bytes) -> None:
    stranger = nearby(listed.addresses[1], STRANGER)
    assert exchange(stranger, header + http_request()).status == 403
    # Where none is due it is no request, whoever sends it.
    assert exchange(listed.address, header + http_request()).status == 400


@pytest.mark.parametrize("header", [version_1("192.0.2.1"), version_2("192.0.2.1")])
def test_a_proxy_header_counts_once(listed: Server, header: bytes) -> None:
    with Connection(listed.addresses[1]) as connection:
        connection.send(header + http_request())
        assert connection.read_response().status == 200
        connection.send(version_1("192.0.2.2") + http_request())
        assert connection.read_response().status == 400
