"""What the application learns of the client through each proxy: its address, the scheme, and nothing that is a lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.address import Address
from tests.deploy.network import CLIENT, OUTSIDE
from tests.deploy.proxies import Proxy
from tests.wire import Connection, exchange, http_request
from tests.wsgi.environ import Environ

if TYPE_CHECKING:
    from pathlib import Path

    from tests.deploy.site import Site

LIES = {
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "6.6.6.6",
    "Forwarded": "for=6.6.6.6;proto=https",
    "X_Forwarded_For": "6.6.6.6",
    "X-Real-IP": "6.6.6.6",
}


def test_its_address_and_the_scheme(site: Site) -> None:
    environ = Environ(site.get("/environ"))
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == (CLIENT, "http")


def test_https(site: Site) -> None:
    environ = Environ(exchange(site.tls, http_request(target="/environ")))
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == (CLIENT, "https")


def test_it_cannot_lie(site: Site) -> None:
    environ = Environ(site.get("/environ", LIES))
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == (CLIENT, "http")


@pytest.mark.parametrize("proxy_name", ["nginx-http", "nginx-uwsgi", "haproxy-http"], indirect=True)
def test_a_lie_does_not_even_arrive(site: Site) -> None:
    """Where an application looks at the fields itself."""
    environ = Environ(site.get("/environ", {name: LIES[name] for name in LIES if name.startswith("X-F")}))
    told = {key: value for key, value in environ.cgi().items() if key.startswith("HTTP_")}
    assert not [key for key, value in told.items() if "6.6.6.6" in value], told
    assert told["HTTP_X_FORWARDED_PROTO"] == "http"


@pytest.mark.parametrize("proxy_name", ["nginx-http"], indirect=True)
def test_nginx_behind_a_balancer_that_passes_tcp_on(site: Site, tmp_path: Path) -> None:
    """The lines of its file that are commented out: the client is who the PROXY header names."""
    changes = [
        ("    listen 80;\n    listen 443 ssl;\n", ""),
        ("# listen 80 proxy_protocol;", "listen 8080 proxy_protocol;"),
        ("# set_real_ip_from 10.0.0.0/24;", "set_real_ip_from 192.0.2.0/24;"),
        ("# real_ip_header", "real_ip_header"),
    ]
    with Proxy(site.kind, site.network.proxy, tmp_path / "second", changes) as proxy:
        address = Address(host=OUTSIDE, port=8080)
        proxy.wait_until_listening(address)
        with Connection(address) as connection:
            connection.send(
                b"PROXY TCP4 203.0.113.7 192.0.2.1 50123 80\r\n" + http_request(target="/environ")
            )
            assert Environ(connection.read_response())["REMOTE_ADDR"] == "203.0.113.7"
