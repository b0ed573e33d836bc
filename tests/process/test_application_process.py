"""What an application may do to its process without harm to the server: fork, handle signals, leave children."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from tests.conftest import Serve

APP = "steps:application"


@pytest.fixture(params=["1", "4"], ids=["alone", "pool"])
def threads(request: pytest.FixtureRequest) -> str:
    """With one thread the main thread serves, with more a pool does."""
    return str(request.param)


def test_a_child_of_the_application_keeps_no_connection_open(serve: Serve, threads: str) -> None:
    server = serve(APP, "--threads", threads)
    with Connection(server.address) as bystander, Connection(server.address) as connection:
        bystander.send(http_request(target="/pid"))
        bystander.read_response()
        # It lives on for longer than any client waits.
        connection.send(http_request(target="/fork?seconds=60", fields={"Connection": "close"}))
        child = int(connection.read_response().body)
        connection.assert_closed()
        bystander.send(http_request(target="/pid", fields={"Connection": "close"}))
        assert bystander.read_response().status == 200
        bystander.assert_closed()
    os.kill(child, signal.SIGKILL)


def test_a_child_of_the_application_keeps_no_port(serve: Serve, threads: str) -> None:
    server = serve(APP, "--threads", threads)
    child = int(exchange(server.address, http_request(target="/fork?seconds=60")).body)
    assert server.stop() == 0
    with pytest.raises(OSError, match="refused"):
        server.address.connect()
    os.kill(child, signal.SIGKILL)


def test_the_applications_signal_handler_runs(serve: Serve, threads: str) -> None:
    """Also while no request is there to bring the interpreter to its senses."""
    server = serve(APP, "--threads", threads)
    (worker,) = server.worker_pids()
    for count in (1, 2):
        os.kill(worker, signal.SIGALRM)
        deadline = time.monotonic() + 20.0
        while int(exchange(server.address, http_request(target="/alarms")).body) < count:
            assert time.monotonic() < deadline, "the handler never ran"
