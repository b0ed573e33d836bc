"""What TLS says of clients: their certificates, their sessions, and where plain HTTP sends them."""

from __future__ import annotations

import signal
import ssl
from typing import TYPE_CHECKING

import pytest

from tests.address import Address
from tests.front.certificates import Authority
from tests.front.tls_client import connect, context, encrypted, environ, get
from tests.server import run
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve
    from tests.front.certificates import Pair
    from tests.server import Server
    from tests.wire import Response

PAGE = "environ_page:application"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Signs the server's certificate and those of clients."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def own(authority: Authority) -> Pair:
    """The server's."""
    return authority.sign("server", "localhost")


def test_a_client_certificate_is_told_of(
    authority: Authority, own: Pair, serve: Serve, tmp_path: Path
) -> None:
    options = ("--tls-client-ca", str(authority.certificate), "--tls-client-auth", "optional")
    server = serve(PAGE, *own.options, *options, "--state-dir", str(tmp_path))
    subject = "/C=DE/O=Caf\u00e9, Inc\\+x/CN=Alice"
    alice = authority.sign("alice", subject=subject, usage="clientAuth")
    page = environ(get(server, context(authority, alice)))
    assert page["SSL_CLIENT_VERIFY"] == "SUCCESS"
    assert page["SSL_CLIENT_S_DN_CN"] == "Alice"
    name = page["SSL_CLIENT_S_DN"].encode("latin-1").decode()
    assert name.startswith("CN=Alice,")
    # What is in a name does not look like another name.
    assert "Caf\u00e9\\, Inc\\+x" in name
    assert page["SSL_CLIENT_I_DN"] == "CN=Test CA"
    assert page["SSL_CLIENT_CERT"] == alice.certificate.read_text()
    assert page["SSL_CLIENT_V_END"].endswith(" GMT")
    assert ssl.cert_time_to_seconds(page["SSL_CLIENT_V_END"]) > ssl.cert_time_to_seconds(
        page["SSL_CLIENT_V_START"]
    )
    page = environ(get(server, context(authority)))
    assert page["SSL_CLIENT_VERIFY"] == "NONE"
    assert not [name for name in page if name.startswith(("SSL_CLIENT_S", "SSL_CLIENT_C"))]


def _is_served(server: Server, made: ssl.SSLContext) -> bool:
    """With TLS 1.3 a client learns only when it reads that its certificate was refused."""
    try:
        return get(server, made).status == 200
    except (ssl.SSLError, ConnectionError, AssertionError):
        return False


def test_who_has_to_show_one_is_not_served_without(
    authority: Authority, own: Pair, serve: Serve, tmp_path: Path
) -> None:
    options = ("--tls-client-ca", str(authority.certificate), "--state-dir", str(tmp_path))
    server = serve(PAGE, *own.options, *options)
    stranger = Authority(tmp_path / "stranger", "Stranger").sign("mallory", usage="clientAuth")
    good = authority.sign("good", usage="clientAuth")
    old = authority.sign("old", usage="clientAuth", days=-1)
    wrong = authority.sign("wrong", usage="serverAuth")
    assert _is_served(server, context(authority, good))
    for client in (None, stranger, old, wrong):
        assert not _is_served(server, context(authority, client))
    lenient = serve(PAGE, *own.options, *options, "--tls-client-auth", "optional")
    assert _is_served(lenient, context(authority))
    assert not _is_served(lenient, context(authority, stranger))


def test_who_was_taken_back_is_not_served(
    authority: Authority, own: Pair, serve: Serve, tmp_path: Path
) -> None:
    good, gone = (authority.sign(name, usage="clientAuth") for name in ("kept", "gone"))
    ca = ("--tls-client-ca", str(authority.certificate), "--state-dir", str(tmp_path))
    crl = authority.take_back()
    server = serve(PAGE, *own.options, *ca, "--tls-client-crl", str(crl))
    assert _is_served(server, context(authority, gone))
    made = context(authority, gone)
    session = _session(server, made)
    authority.take_back(gone)
    server.send(signal.SIGHUP)
    server.log.wait_for("the certificates were read anew")
    assert _is_served(server, context(authority, good))
    assert not _is_served(server, context(authority, gone))
    with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
        _resumed(server, made, session)
    # Nobody knows what an authority without a list has taken back.
    other = Authority(tmp_path / "other", "Other").take_back()
    strict = serve(PAGE, *own.options, *ca, "--tls-client-crl", str(other))
    assert not _is_served(strict, context(authority, good))
    for option, words in ((authority.certificate, "no revocation list"), (tmp_path / "none", "cannot read")):
        ended = run(PAGE, *own.options, *ca, "--bind", "127.0.0.1:0", "--tls-client-crl", str(option))
        assert ended.returncode != 0
        assert words in ended.stderr


def _session(server: Server, made: ssl.SSLContext) -> ssl.SSLSession:
    """The session of a connection that ends."""
    with connect(server, made) as connection:
        connection.send(http_request())
        connection.read_response()
        session = encrypted(connection).session
    assert session is not None
    return session


def _resumed(server: Server, made: ssl.SSLContext, session: ssl.SSLSession) -> bool:
    """Whether the server goes on with a session, by both sides' word."""
    with connect(server, made, session=session) as connection:
        connection.send(http_request())
        said = environ(connection.read_response())["SSL_SESSION_RESUMED"] == "Resumed"
        assert encrypted(connection).session_reused == said
    return said


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_go_on(
    authority: Authority, own: Pair, serve: Serve, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    options = (*own.options, "--state-dir", str(tmp_path))
    server = serve(PAGE, *options)
    made = context(authority)
    made.maximum_version = version
    session = _session(server, made)
    assert _resumed(server, made, session)
    server.send(signal.SIGHUP)
    server.log.wait_for("the certificates were read anew")
    assert _resumed(server, made, session)
    server.stop()
    server = serve(PAGE, *options)
    assert _resumed(server, made, session)
    # Under other rules a session says nothing.
    server.stop()
    rules = ("--tls-client-ca", str(authority.certificate), "--tls-client-auth", "optional")
    server = serve(PAGE, *options, *rules)
    assert not _resumed(server, made, session)


def _redirect(server: Server, target: str, method: str = "GET", host: str = "app.test:80") -> Response:
    """What the listener for plain HTTP says."""
    [line] = server.log.find("sent on to HTTPS")
    port = int(line.split("127.0.0.1:")[1].split()[0])
    address = Address(host="127.0.0.1", port=port)
    return exchange(address, http_request(method, target, fields={"Host": host}), method)


def test_plain_http_is_sent_on(authority: Authority, own: Pair, serve: Serve, tmp_path: Path) -> None:
    options = ("--tls-redirect-bind", "127.0.0.1:0", "--state-dir", str(tmp_path), "--hsts", "1h")
    server = serve("plain:application", *own.options, *options)
    port = server.address.port
    for target, expected in {
        "/": "/",
        "/a/b?c=d&e": "/a/b?c=d&e",
        "//evil.test/": "//evil.test/",
        "/%2e%2e/x": "/%2e%2e/x",
        "http://other.test:99/x?y": None,
    }.items():
        response = _redirect(server, target)
        where = f"https://app.test:{port}{expected}" if expected else f"https://other.test:{port}/x?y"
        assert (response.status, response.get("Location")) == (301, where)
        # Over plain HTTP it would mean nothing (RFC 6797 section 7.2).
        assert response.get("Strict-Transport-Security") is None
    assert _redirect(server, "/", "POST").status == 308
    assert _redirect(server, "/", "HEAD").status == 301
    assert _redirect(server, "/", host="[::1]:80").get("Location") == f"https://[::1]:{port}/"
    assert _redirect(server, "/", host="a b").status == 400
    response = get(server, context(authority), target="/hello")
    assert response.get("Strict-Transport-Security") == "max-age=3600"


def test_the_applications_own_word_on_hsts_holds(
    authority: Authority, own: Pair, serve: Serve, tmp_path: Path
) -> None:
    (tmp_path / "strict.py").write_text(
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [('strict-transport-security', 'max-age=1'), ('Content-Length', '0')])\n"
        "    return []\n"
    )
    (tmp_path / "a.txt").write_text("file")
    options = (*own.options, "--hsts", "365d,subdomains", "--static", f"/files/={tmp_path}")
    server = serve("strict:application", *options, "--state-dir", str(tmp_path / "state"), cwd=tmp_path)
    assert get(server, context(authority)).get("Strict-Transport-Security") == "max-age=1"
    response = get(server, context(authority), target="/files/a.txt")
    assert (response.body, response.get("Strict-Transport-Security")) == (
        b"file",
        "max-age=31536000; includeSubDomains",
    )
