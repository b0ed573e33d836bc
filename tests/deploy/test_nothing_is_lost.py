"""Whatever an operator does to a Tapster behind a proxy: no client sees a failure, and all requests here are POSTs."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.deploy.conftest import long_but_for
from tests.deploy.network import SERVING
from tests.load import Load
from tests.server import children, wait_gone

if TYPE_CHECKING:
    from tests.deploy.site import Site


def test_both_hosts_serve(site: Site) -> None:
    answers = [site.who_serves() for _ in range(40)]
    assert set(answers) == set(SERVING)


def test_new_code(site: Site) -> None:
    """HUP."""
    with Load(site.address) as load:
        server = site.servers["one"]
        old = children(server.pid)
        server.send(signal.SIGHUP)
        wait_gone(old, 30.0)
        load.wait_for(50)
    assert load.tally.failures == []


@long_but_for("nginx-http", "haproxy-http", "envoy")
def test_a_new_server(site: Site) -> None:
    """USR2."""
    with Load(site.address) as load:
        site.servers["one"].upgrade()
        load.wait_for(50)
    assert load.tally.failures == []


def restart(site: Site, name: str, connections: int) -> None:
    """TERM, and a new start when it has ended, under load."""
    (host,) = [host for host in site.network.serving if host.name == name]
    with Load(site.address, connections) as load:
        site.stop(host)
        load.wait_for(50)
        site.start(host)
        load.wait_for(50)
    assert load.tally.failures == []
    site.wait_for(set(SERVING))


def test_a_restart(site: Site) -> None:
    restart(site, "two", connections=8)


@pytest.mark.long
def test_restarts_of_both_with_many_clients(site: Site) -> None:
    for name in [*SERVING, *SERVING]:
        restart(site, name, connections=64)
