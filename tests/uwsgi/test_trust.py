"""Who may speak uwsgi: its variables say who the client is, so not everybody (`--uwsgi-allow-from`, `--bind-protocol`)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.uwsgi.in_namespace import ADDRESS
from tests.uwsgi_packet import uwsgi_request
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from tests.conftest import Serve

APP = "plain:application"


IN_NAMESPACE = Path(__file__).with_name("in_namespace.py")


def test_addresses_besides_loopback() -> None:
    """Runs `in_namespace.py` in a network namespace of its own: nothing is sent to an address of this machine."""
    if os.geteuid() != 0:
        pytest.skip("not on this system: the right to make a network namespace")
    setup = f'ip link set lo up && ip address add {ADDRESS}/32 dev lo && exec "$@"'
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(IN_NAMESPACE)]
    ended = subprocess.run(
        ["unshare", "--net", "--", "sh", "-c", setup, "sh", *command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "2 passed" in ended.stdout


@pytest.mark.parametrize(
    ("protocol", "http_status", "uwsgi_status"), [("http", 200, 400), ("uwsgi", 400, 200)]
)
def test_a_pinned_protocol(serve: Serve, protocol: str, http_status: int, uwsgi_status: int) -> None:
    server = serve(APP, "--bind-protocol", protocol)
    address = server.address
    assert exchange(address, http_request(target="/hello")).status == http_status
    assert exchange(address, uwsgi_request(target="/hello")).status == uwsgi_status
