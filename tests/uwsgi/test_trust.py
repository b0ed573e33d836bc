"""Who may speak uwsgi: its variables say who the client is, so not everybody (`--uwsgi-allow-from`, `--bind-protocol`)."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.uwsgi_packet import uwsgi_request
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from tests.conftest import Serve

APP = "plain:application"


def own_address() -> str:
    """An address of this machine that is not loopback; no packet is sent to find it."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("no address besides loopback")
        return str(probe.getsockname()[0])


def test_another_address_is_refused(serve: Serve) -> None:
    host = own_address()
    server = serve(APP, "--bind", f"{host}:0")
    mark = server.log.mark()
    assert exchange(server.address, uwsgi_request(target="/hello")).status == 403
    server.log.wait_for("uwsgi-allow-from", mark)
    assert exchange(server.address, http_request(target="/hello")).body == b"hello"


def test_a_listed_address_is_served(serve: Serve) -> None:
    host = own_address()
    server = serve(APP, "--bind", f"{host}:0", "--uwsgi-allow-from", f"{host}/32")
    assert exchange(server.address, uwsgi_request(target="/hello")).body == b"hello"


@pytest.mark.parametrize(
    ("protocol", "http_status", "uwsgi_status"), [("http", 200, 400), ("uwsgi", 400, 200)]
)
def test_a_pinned_protocol(serve: Serve, protocol: str, http_status: int, uwsgi_status: int) -> None:
    server = serve(APP, "--bind-protocol", protocol)
    address = server.address
    assert exchange(address, http_request(target="/hello")).status == http_status
    assert exchange(address, uwsgi_request(target="/hello")).status == uwsgi_status
