"""Which peers are believed about scheme and client (`--forwarded-allow-ips`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.transport import Transport
from tests.wsgi.environ import Environ

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve
    from tests.server import Server

APP = "environ_page:application"


SAYS_HTTPS = [{"X-Forwarded-Proto": "https"}, {"Forwarded": "for=192.0.2.1;proto=https"}]


@pytest.mark.parametrize("name", ["http-tcp", "http-unix"])
@pytest.mark.parametrize("fields", SAYS_HTTPS, ids=["x-forwarded", "forwarded"])
def test_loopback_and_unix_set_the_scheme_by_default(
    server: Server, name: str, fields: dict[str, str]
) -> None:
    assert Environ(Transport.of(server, name).request("/", fields=fields))["wsgi.url_scheme"] == "https"


@pytest.mark.parametrize("name", ["uwsgi-tcp", "uwsgi-unix"])
@pytest.mark.parametrize("fields", SAYS_HTTPS, ids=["x-forwarded", "forwarded"])
def test_over_uwsgi_the_web_server_says_it_in_a_variable(
    server: Server, name: str, fields: dict[str, str]
) -> None:
    """nginx passes on what any client wrote in these fields; the scheme it knows is in HTTPS and REQUEST_SCHEME."""
    assert Environ(Transport.of(server, name).request("/", fields=fields))["wsgi.url_scheme"] == "http"


def test_the_client_is_not_replaced_by_default(http: Transport) -> None:
    environ = Environ(
        http.request("/", fields={"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"})
    )
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["HTTP_X_FORWARDED_FOR"] == "203.0.113.9"


@pytest.mark.parametrize("value", ["gopher", "", "https\u00e9", "javascript", "http://"])
def test_an_unknown_scheme_changes_nothing(http: Transport, value: str) -> None:
    assert Environ(http.request("/", fields={"X-Forwarded-Proto": value}))["wsgi.url_scheme"] == "http"


def test_other_peers_are_not_believed(serve: Serve) -> None:
    server = serve(APP, "--forwarded-allow-ips", "10.0.0.0/8,unix")
    plain = Environ(Transport("http-tcp", server.address).request("/"))
    environ = Environ(Transport("http-tcp", server.address).request("/", fields=CLAIMS))
    claimed = {"HTTP_" + name.upper().replace("-", "_"): value for name, value in CLAIMS.items()}
    ports = {"REMOTE_PORT": environ["REMOTE_PORT"]}
    assert environ.cgi() == {**plain.cgi(), **claimed, **ports}, "they are passed on and change nothing"
    assert environ["wsgi.url_scheme"] == "http"


#: What proxies of all makes say of their clients, and what clients say in their name (CVE-2022-2255 of mod_wsgi).
CLAIMS = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "444",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Ssl": "on",
    "X-Real-IP": "203.0.113.9",
    "X-Client-IP": "203.0.113.9",
    "X-Script-Name": "/evil",
    "Forwarded": "for=203.0.113.9;proto=https;host=evil.example",
    "Front-End-Https": "on",
}


def test_a_trusted_peer_changes_the_scheme_and_the_client_and_nothing_else(serve: Serve) -> None:
    server = serve(APP, "--forwarded-allow-ips", "127.0.0.1")
    plain = Environ(Transport("http-tcp", server.address).request("/"))
    environ = Environ(Transport("http-tcp", server.address).request("/", fields=CLAIMS))
    changed = {key for key, value in plain.cgi().items() if environ.values.get(key) != value}
    assert changed == {"REMOTE_ADDR", "REMOTE_PORT"}
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("203.0.113.9", "https")
    assert "REMOTE_PORT" not in environ, "the proxy's port is not the client's"


@pytest.mark.parametrize("underscored", ["X_Forwarded_For", "X_Forwarded_Proto"])
def test_an_underscore_does_not_pass_for_a_hyphen(serve: Serve, underscored: str) -> None:
    server = serve(APP, "--forwarded-allow-ips", "127.0.0.1")
    value = "https" if underscored.endswith("Proto") else "203.0.113.9"
    environ = Environ(Transport("http-tcp", server.address).request("/", fields={underscored: value}))
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("127.0.0.1", "http")


@pytest.mark.parametrize("peers", ["*", "unix"])
def test_a_proxy_on_a_unix_socket_names_the_client(serve: Serve, tmp_path: Path, peers: str) -> None:
    server = serve(APP, "--forwarded-allow-ips", peers, "--bind", f"unix:{tmp_path}/s")
    fields = {"X-Forwarded-For": "6.6.6.6, 203.0.113.9", "X-Forwarded-Proto": "https"}
    environ = Environ(Transport("http-unix", server.unix).request("/", fields=fields))
    expected = "6.6.6.6" if peers == "*" else "203.0.113.9"
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == (expected, "https")


@pytest.mark.parametrize("variable", ["TAPSTER_FORWARDED_ALLOW_IPS", "FORWARDED_ALLOW_IPS"])
def test_a_variable_gives_the_option_too(serve: Serve, variable: str) -> None:
    server = serve(APP, env={variable: "127.0.0.1"})
    fields = {"Forwarded": 'for="[2001:db8::7]:4711";proto=https'}
    environ = Environ(Transport("http-tcp", server.address).request("/", fields=fields))
    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("2001:db8::7", "4711")


@pytest.mark.parametrize(
    ("forwarded_for", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9, 10.1.2.3", "203.0.113.9"),
        ("2001:db8::7", "2001:db8::7"),
    ],
)
def test_a_named_peer_sets_the_client(serve: Serve, forwarded_for: str, client: str) -> None:
    """The right-most hop that is not trusted itself: what is left of it anybody could have written."""
    server = serve(APP, "--forwarded-allow-ips", "127.0.0.1,10.0.0.0/8")
    answer = Transport("http-tcp", server.address).request("/", fields={"X-Forwarded-For": forwarded_for})
    assert Environ(answer)["REMOTE_ADDR"] == client
