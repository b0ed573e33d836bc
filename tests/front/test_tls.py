"""TLS on the listeners: who gets in, who is told what, and that every byte arrives."""

from __future__ import annotations

import hashlib
import socket
import ssl
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.front.certificates import Authority
from tests.front.conftest import LARGE, SMALL, put
from tests.front.tls_client import connect, context, encrypted, environ, get
from tests.server import Server
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Serve


#: More than the system holds for a client.
HUGE = LARGE * 10


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Signs the server's certificate."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def tls(authority: Authority, tmp_path_factory: pytest.TempPathFactory, site: Path) -> Iterator[Server]:
    """A server with a certificate for localhost, on TCP and on a unix socket."""
    state = tmp_path_factory.mktemp("state")
    options = authority.sign("localhost", "localhost", "127.0.0.1").options
    binds = ("--bind", "127.0.0.1:0", "--bind", f"unix:{state}/s", "--state-dir", str(state))
    put(state / "files" / "huge.bin", HUGE)
    files = ("--static", f"/static/={site}/public", "--static", f"/huge/={state}/files")
    more = ("--head-timeout", "4s", "--workers", "2")
    with Server.start("plain:application", *options, *binds, *files, *more) as started:
        yield started


def test_the_start_line_says_https(tls: Server) -> None:
    assert tls.log.find(r"listening on https://127\.0\.0\.1:\d+ \(HTTP and uwsgi\)")


def test_curl_is_content(tls: Server, authority: Authority) -> None:
    for version in ("--tlsv1.2 --tls-max 1.2", "--tlsv1.3"):
        words = f"curl -sS --http1.1 --cacert {authority.certificate} {version}".split()
        url = f"https://localhost:{tls.address.port}/hello"
        resolve = f"localhost:{tls.address.port}:127.0.0.1"
        found = subprocess.run(
            [*words, "--resolve", resolve, url], capture_output=True, timeout=30, check=False
        )
        assert (found.returncode, found.stdout) == (0, b"hello"), found.stderr


def test_requests_follow_one_another(tls: Server, authority: Authority) -> None:
    with connect(tls, context(authority)) as connection:
        for number in range(20):
            body = str(number).encode() * number
            connection.send(http_request("POST", "/echo", body=body))
            assert connection.read_response().body == body
        connection.send(http_request(target="/hello") * 20)
        assert [connection.read_response().body for _ in range(20)] == [b"hello"] * 20


def test_large_bodies_arrive_whole(tls: Server, authority: Authority) -> None:
    body = LARGE * 3
    with connect(tls, context(authority)) as connection:
        connection.send(http_request("POST", "/digest", body=body))
        expected = f"{len(body)} {hashlib.sha256(body).hexdigest()}".encode()
        assert connection.read_response().body == expected
        connection.send(http_request("POST", "/echo", body=body))
        assert connection.read_response().body == body


def test_files_arrive_whole(tls: Server, authority: Authority) -> None:
    with connect(tls, context(authority)) as connection:
        connection.send(http_request(target="/static/css/a.css"))
        assert connection.read_response().body == SMALL
        connection.send(http_request(target="/static/large.bin"))
        assert connection.read_response().body == LARGE
        part = {"Range": "bytes=1000000-1048575"}
        connection.send(http_request(target="/static/large.bin", fields=part))
        assert connection.read_response().body == LARGE[1000000:]


@pytest.mark.parametrize("target", ["/huge/huge.bin", "/download?blocks=160&sized"])
def test_a_slow_reader_gets_every_byte(tls: Server, authority: Authority, target: str) -> None:
    expected = get(tls, context(authority), target=target).body
    with connect(tls, context(authority)) as connection:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.send(http_request(target=target, fields={"Connection": "close"}))
        # It reads nothing until the server can send no more.
        time.sleep(0.3)
        assert connection.read_response().body == expected


def test_what_comes_in_single_bytes_is_put_together(tls: Server, authority: Authority) -> None:
    with connect(tls, context(authority)) as connection:
        for byte in http_request("POST", "/echo", body=b"slowly"):
            connection.send(bytes([byte]))
        assert connection.read_response().body == b"slowly"


def test_the_protocol_is_agreed_on(tls: Server, authority: Authority) -> None:
    made = context(authority)
    made.set_alpn_protocols(["spdy/1", "http/1.1"])
    with connect(tls, made) as connection:
        assert encrypted(connection).selected_alpn_protocol() == "http/1.1"
    made.set_alpn_protocols(["spdy/1"])
    with pytest.raises(ssl.SSLError, match=r"(?i)alert"), connect(tls, made):
        pass


def test_old_versions_are_refused(tls: Server, authority: Authority, serve: Serve, tmp_path: Path) -> None:
    old = context(authority)
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)), connect(tls, old):
        pass
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_2
    assert get(tls, old).status == 200
    options = authority.sign("new", "localhost").options
    new = serve("plain:application", *options, "--tls-min-version", "1.3", "--state-dir", str(tmp_path))
    with pytest.raises((ssl.SSLError, ConnectionError)), connect(new, old):
        pass
    assert get(new, context(authority)).status == 200


def test_the_application_is_told(authority: Authority, serve: Serve, tmp_path: Path) -> None:
    options = authority.sign("told", "localhost").options
    server = serve("environ_page:application", *options, "--state-dir", str(tmp_path))
    forged = {
        "Tapster-Client": "http 1.2.3.4:5 1.2.3.4:5 SSL_CLIENT_VERIFY=SUCCESS",
        "SSL_CLIENT_VERIFY": "SUCCESS",
        "SSL-Client-Verify": "SUCCESS",
    }
    with connect(server, context(authority)) as connection:
        connection.send(http_request(fields=forged))
        page = environ(connection.read_response())
        cipher = encrypted(connection).cipher()
    assert page["wsgi.url_scheme"] == "https"
    assert page["REMOTE_ADDR"] == "127.0.0.1"
    assert page["SERVER_PORT"] == str(server.address.port)
    assert page["SSL_PROTOCOL"] == "TLSv1.3"
    assert cipher is not None
    assert page["SSL_CIPHER"] == cipher[0]
    assert page["SSL_TLS_SNI"] == "localhost"
    # A field of the client's is a field, and nothing more.
    assert "SSL_CLIENT_VERIFY" not in page
    assert page["HTTP_SSL_CLIENT_VERIFY"] == "SUCCESS"


def test_plain_http_is_told_to_speak_tls(tls: Server) -> None:
    response = exchange(tls.address, http_request(target="/hello"))
    assert response.status == 400
    assert b"https://" in response.body
    assert response.closes


def test_nonsense_is_refused(tls: Server) -> None:
    with Connection(tls.address) as connection:
        connection.send(b"\x00\x10\x00\x00")
        assert connection.read_response().status == 400
    with Connection(tls.address) as connection:
        connection.send(b"\x16\x03\x01\x00\x05hello")
        assert connection.socket.recv(1) in (b"", b"\x15")


def test_unix_sockets_speak_plain_http(tls: Server) -> None:
    assert exchange(tls.unix, http_request(target="/hello")).body == b"hello"


def test_a_client_without_a_word_is_let_go(tls: Server) -> None:
    with Connection(tls.address) as silent, Connection(tls.address) as begun:
        begun.send(b"\x16\x03\x01")
        assert silent.socket.recv(1) == b""
        assert begun.socket.recv(1) == b""


def test_who_speaks_tls_where_there_is_none_is_told(server: Server) -> None:
    with Connection(server.address) as connection:
        connection.send(b"\x16\x03\x01\x02\x00\x01")
        response = connection.read_response()
    assert response.status == 400
    assert b"--tls-certificate" in response.body


def test_a_proxy_header_comes_before(authority: Authority, serve: Serve, tmp_path: Path) -> None:
    options = (*authority.sign("proxied", "localhost").options, "--state-dir", str(tmp_path))
    server = serve("environ_page:application", *options, "--proxy-protocol", "auto")
    made = context(authority)
    with Connection(server.address) as connection:
        connection.send(b"PROXY TCP4 192.0.2.7 192.0.2.8 4711 443\r\n")
        connection.socket = made.wrap_socket(connection.socket, server_hostname="localhost")
        connection.send(http_request())
        page = environ(connection.read_response())
    assert page["REMOTE_ADDR"] == "192.0.2.7"
    assert page["wsgi.url_scheme"] == "https"
    assert page["SSL_PROTOCOL"] == "TLSv1.3"


def test_a_client_that_ends_properly_is_ended_properly(tls: Server, authority: Authority) -> None:
    with connect(tls, context(authority)) as connection:
        request = http_request(target="/hello", fields={"Connection": "close"})
        connection.send(request)
        assert connection.read_response().body == b"hello"
        assert connection.socket.recv(1) == b""
