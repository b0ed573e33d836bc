"""uwsgi from an address that is not loopback. Run by `test_trust.py` in a network namespace that has that address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.uwsgi_packet import uwsgi_request
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from tests.conftest import Serve

APP = "plain:application"

ADDRESS = "203.0.113.1"
"""For documentation only (RFC 5737): no host has it, and the namespace has no other interface."""


def test_another_address_is_refused(serve: Serve) -> None:
    server = serve(APP, "--bind", f"{ADDRESS}:0")
    mark = server.log.mark()
    assert exchange(server.address, uwsgi_request(target="/hello")).status == 403
    server.log.wait_for("uwsgi-allow-from", mark)
    assert exchange(server.address, http_request(target="/hello")).body == b"hello"


def test_a_listed_address_is_served(serve: Serve) -> None:
    server = serve(APP, "--bind", f"{ADDRESS}:0", "--uwsgi-allow-from", f"{ADDRESS}/32")
    assert exchange(server.address, uwsgi_request(target="/hello")).body == b"hello"
