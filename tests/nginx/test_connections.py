"""Connections between nginx and Tapster: kept where they can be, lost never, whatever Tapster does meanwhile."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.load import send_requests
from tests.nginx.front import Nginx
from tests.wire import exchange, http_request
from tests.wsgi.environ import Environ

if TYPE_CHECKING:
    from pathlib import Path

    from tests.address import Address
    from tests.conftest import Serve


def upstream_port(address: Address) -> str:
    """The port of the connection from nginx to Tapster that served a request."""
    return Environ(exchange(address, http_request()))["REMOTE_PORT"]


def test_one_client_needs_one_connection(serve: Serve, tmp_path: Path) -> None:
    server = serve("environ_page:application")
    with Nginx("proxy.conf", server.address, tmp_path / "prefix") as nginx:
        assert len({upstream_port(nginx.address) for _ in range(20)}) == 1


def test_eight_clients_need_few(serve: Serve, tmp_path: Path) -> None:
    server = serve("environ_page:application")
    with Nginx("proxy.conf", server.address, tmp_path / "prefix") as nginx, ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(upstream_port, nginx.address) for _ in range(200)]
        assert len({future.result() for future in futures}) <= 16


@pytest.mark.parametrize("configuration", ["proxy.conf", "uwsgi.conf"])
def test_a_reload_is_not_noticed(serve: Serve, tmp_path: Path, configuration: str) -> None:
    """The old workers close connections that nginx keeps: no request may be lost in one."""
    server = serve("steps:application", "--workers", "2", "--bind", f"unix:{tmp_path}/s")
    with Nginx(configuration, server.unix, tmp_path / "prefix") as nginx:
        tally = send_requests(nginx.address, 3_000, 16, at=1_000, then=lambda: server.send(signal.SIGHUP))
        assert tally.failures == []
        assert tally.right == 3_000
