"""PROXY headers, versions 1 and 2: required where an address is marked for them, believed from listed peers alone."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

import pytest

from tests.server import Server
from tests.transport import Transport
from tests.wire import Connection, Response, http_request
from tests.wsgi.environ import Environ

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Serve

APP = "environ_page:application"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def version_2(command: int, family: int, body: bytes) -> bytes:
    return SIGNATURE + bytes([0x20 | command, family]) + struct.pack("!H", len(body)) + body


def tcp4(client: str, port: int) -> bytes:
    return socket.inet_aton(client) + socket.inet_aton("192.0.2.1") + struct.pack("!HH", port, 443)


def tlv(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value


CLIENT = "203.0.113.9"
HEADERS = {
    "v1": b"PROXY TCP4 203.0.113.9 192.0.2.1 50123 443\r\n",
    "v2": version_2(1, 0x11, tcp4(CLIENT, 50123)),
    "v2-tlvs": version_2(1, 0x11, tcp4(CLIENT, 50123) + tlv(0x04, b"x" * 900) + tlv(0xE0, b"")),
}
NOBODY = {
    "v1-unknown": b"PROXY UNKNOWN ffff::ffff ::1 1 2\r\n",
    "v2-local": version_2(0, 0x11, tcp4(CLIENT, 50123)),
    "v2-unspecified": version_2(1, 0x00, b""),
}


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two marked addresses; its workers may pass connections on to each other."""
    path = tmp_path_factory.mktemp("run") / "s"
    binds = ("--bind", "127.0.0.1:0+proxy", "--bind", f"unix:{path}+proxy")
    with Server.start(APP, "--workers", "2", *binds) as started:
        yield started


def ask(
    server: Server, header: bytes, name: str = "http-tcp", fields: dict[str, str] | None = None
) -> Response:
    transport = Transport.of(server, name)
    with transport.connect() as connection:
        connection.send(header + transport.bytes_of("/", fields=fields))
        return connection.read_response()


@pytest.mark.parametrize("name", ["http-tcp", "http-unix"])
@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_the_variables_follow_the_header(marked: Server, header: bytes, name: str) -> None:
    environ = Environ(ask(marked, header, name))
    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == (CLIENT, "50123")
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("192.0.2.1", "443")
    assert environ["wsgi.url_scheme"] == "http"


def test_version_6_addresses(marked: Server) -> None:
    environ = Environ(ask(marked, b"PROXY TCP6 2001:db8::7 2001:db8::1 50123 443\r\n"))
    assert (environ["REMOTE_ADDR"], environ["SERVER_NAME"]) == ("2001:db8::7", "[2001:db8::1]")


@pytest.mark.parametrize("header", NOBODY.values(), ids=NOBODY)
def test_without_a_client_the_sockets_addresses_hold(marked: Server, header: bytes) -> None:
    environ = Environ(ask(marked, header))
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["SERVER_PORT"] == str(marked.address.port)


def test_a_client_on_a_unix_socket_of_the_proxy_has_no_address(marked: Server) -> None:
    header = version_2(1, 0x31, b"/tmp/client".ljust(108, b"\0") + b"/run/front".ljust(108, b"\0"))
    environ = Environ(ask(marked, header, fields={"X-Forwarded-Proto": "https"}))
    assert environ["REMOTE_ADDR"] == ""
    assert environ["wsgi.url_scheme"] == "http", "the proxy's unix sockets are not ours to trust"


@pytest.mark.parametrize("header", [*HEADERS.values(), *NOBODY.values()], ids=[*HEADERS, *NOBODY])
def test_a_header_may_come_byte_by_byte(marked: Server, header: bytes) -> None:
    with Connection(marked.address) as connection:
        for byte in header + http_request():
            connection.send(bytes([byte]))
        assert connection.read_response().status == 200


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_it_introduces_a_connection_once(marked: Server, header: bytes) -> None:
    """It holds for every request, and behind the first it is no HTTP (CVE-2026-47737 of puma)."""
    with Connection(marked.address) as connection:
        connection.send(header)
        for _ in range(3):
            connection.send(http_request())
            assert Environ(connection.read_response())["REMOTE_ADDR"] == CLIENT
        connection.send(header + http_request())
        assert connection.read_response().status == 400


@pytest.mark.parametrize(
    "junk",
    [
        http_request(),
        b"PROXY TCP4 203.0.113.9 192.0.2.1 50123\r\n",
        b"PROXY " + b"x" * 200,
        version_2(1, 0x77, b""),
        version_2(1, 0x11, b"short"),
        SIGNATURE + b"\x21\x11\xff\xff",
        b"\0\0\0\0",
        b"\x16\x03\x01",
    ],
    ids=["http", "short", "long", "family", "cut", "huge", "uwsgi", "tls"],
)
def test_without_a_right_header_a_connection_is_refused(marked: Server, junk: bytes) -> None:
    mark = marked.log.mark()
    with Connection(marked.address) as connection:
        connection.send(junk)
        assert connection.read_response().status == 400
        connection.assert_closed()
    marked.log.wait_for("refused with 400: .*PROXY header", mark)


def test_a_header_has_its_time(serve: Serve) -> None:
    server = serve(APP, "--proxy-protocol", "auto", "--head-timeout", "300ms")
    with Connection(server.address) as connection:
        connection.send(b"PROXY TCP4 ")
        assert connection.read_response().status == 408
        connection.assert_closed()
    with Connection(server.address) as silent:
        silent.assert_closed()


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_where_it_is_not_marked_it_is_never_recognised(serve: Serve, tmp_path: Path, header: bytes) -> None:
    server = serve(APP, "--bind", f"unix:{tmp_path}/s+proxy", "--bind", "127.0.0.1:0")
    plain = next(address for address in server.addresses if not address.path)
    with Connection(plain) as connection:
        connection.send(header + http_request())
        assert connection.read_response().status == 400
    assert Environ(ask(server, header, "http-unix"))["REMOTE_ADDR"] == CLIENT


def test_other_peers_may_not_speak_for_clients(serve: Serve) -> None:
    server = serve(APP, "--proxy-protocol", "auto", "--proxy-allow-from", "10.0.0.0/8,unix")
    assert ask(server, HEADERS["v1"]).status == 403
    server.log.wait_for("refused with 403: .*--proxy-allow-from")


@pytest.mark.parametrize(("version", "other"), [("v1", "v2"), ("v2", "v1")])
def test_one_version_may_be_enough(serve: Serve, version: str, other: str) -> None:
    server = serve(APP, "--proxy-protocol", version)
    assert Environ(ask(server, HEADERS[version]))["REMOTE_ADDR"] == CLIENT
    assert ask(server, HEADERS[other]).status == 400


@pytest.mark.parametrize(("client", "scheme"), [(1, "https"), (0, "http")])
def test_tls_between_client_and_proxy_sets_the_scheme(marked: Server, client: int, scheme: str) -> None:
    ssl = tlv(0x20, struct.pack("!BI", client, 0) + tlv(0x21, b"TLSv1.3"))
    environ = Environ(ask(marked, version_2(1, 0x11, tcp4(CLIENT, 1) + ssl)))
    assert environ["wsgi.url_scheme"] == scheme


def test_it_is_the_client_whose_forwarding_fields_are_judged(marked: Server) -> None:
    """The proxy passes on what anybody says."""
    fields = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "6.6.6.6"}
    environ = Environ(ask(marked, HEADERS["v2"], fields=fields))
    assert (environ["wsgi.url_scheme"], environ["REMOTE_ADDR"]) == ("http", CLIENT)
    local = b"PROXY TCP4 127.0.0.1 192.0.2.1 50123 443\r\n"
    assert Environ(ask(marked, local, fields=fields))["wsgi.url_scheme"] == "https"


@pytest.mark.parametrize("name", ["uwsgi-tcp", "uwsgi-unix"])
def test_it_is_the_client_who_may_or_may_not_speak_uwsgi(marked: Server, serve: Serve, name: str) -> None:
    assert ask(marked, HEADERS["v2"], name).status == 403
    assert Environ(ask(marked, NOBODY["v2-local"], name))["REMOTE_ADDR"] == "192.0.2.7"


def test_uwsgi_behind_a_header(serve: Serve) -> None:
    """The packet's word counts: whoever may speak uwsgi says who the client is."""
    server = serve(APP, "--proxy-protocol", "auto", "--uwsgi-allow-from", "203.0.113.0/24")
    transport = Transport("uwsgi-tcp", server.address)
    with transport.connect() as connection:
        for byte in HEADERS["v2"] + transport.bytes_of("/"):
            connection.send(bytes([byte]))
        assert Environ(connection.read_response())["REMOTE_ADDR"] == "192.0.2.7"


def test_a_reload_keeps_introduced_connections_whole(serve: Serve) -> None:
    """A connection is not handed to a worker that would wait for a second header."""
    server = serve(APP, "--proxy-protocol", "auto")
    with Connection(server.address) as connection:
        connection.send(HEADERS["v1"] + http_request())
        assert Environ(connection.read_response())["REMOTE_ADDR"] == CLIENT
        server.reload()
        connection.assert_closed()
    assert Environ(ask(server, HEADERS["v1"]))["REMOTE_ADDR"] == CLIENT
