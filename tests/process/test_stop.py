"""TERM, INT and QUIT: requests in the application finish, nothing is left behind, the exit code is 0."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.server import Server, wait_gone
from tests.uwsgi_packet import uwsgi_request
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve
    from tests.process.conftest import Gates

APP = "steps:application"
SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT]


def group_is_gone(server: Server) -> bool:
    try:
        os.killpg(server.pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("number", SIGNALS)
def test_a_request_inside_finishes(
    serve: Serve, gates: Gates, tmp_path: Path, number: signal.Signals
) -> None:
    path = tmp_path / "s"
    server = serve(APP, "--workers", "2", "--bind", "127.0.0.1:0", "--bind", f"unix:{path}", env=gates.env)
    workers = server.worker_pids()
    with Connection(server.address) as over_http, Connection(server.unix) as over_uwsgi:
        over_http.send(http_request(target="/gate?name=http"))
        over_uwsgi.send(uwsgi_request(target="/gate?name=uwsgi"))
        gates.wait_inside("http")
        gates.wait_inside("uwsgi")
        mark = server.log.mark()
        server.send(number)
        server.log.wait_for("stopping", mark)
        gates.open("http")
        gates.open("uwsgi")
        response = over_http.read_response()
        assert (response.status, response.body) == (200, b"opened http")
        assert over_uwsgi.read_response().body == b"opened uwsgi"
        over_http.assert_closed()
    assert server.wait() == 0
    wait_gone(workers, 10.0)
    assert group_is_gone(server)
    assert not path.exists(), "the unix socket's file is removed"
    with pytest.raises(OSError, match="refused"):
        server.address.connect()


@pytest.mark.parametrize("number", SIGNALS)
def test_an_idle_server_stops_at_once(serve: Serve, number: signal.Signals) -> None:
    server = serve(APP)
    idle = [Connection(server.address) for _ in range(10)]
    for connection in idle[:5]:
        connection.send(http_request(target="/pid"))
        connection.read_response()
    start = time.monotonic()
    assert server.stop(number) == 0
    assert time.monotonic() - start < 10.0, "idle connections hold nothing up"
    for connection in idle:
        connection.assert_closed()


def test_a_second_term_stops_at_once(steps: Server, gates: Gates) -> None:
    with Connection(steps.address) as connection:
        connection.send(http_request(target="/gate?name=never"))
        gates.wait_inside("never")
        mark = steps.log.mark()
        steps.send(signal.SIGTERM)
        steps.log.wait_for("stopping", mark)
        start = time.monotonic()
        steps.stop(signal.SIGTERM)
        assert time.monotonic() - start < 10.0
        assert group_is_gone(steps)


def test_the_graceful_timeout_ends_the_wait(serve: Serve, gates: Gates) -> None:
    server = serve(APP, "--graceful-timeout", "500ms", env=gates.env)
    with Connection(server.address) as connection:
        connection.send(http_request(target="/gate?name=never"))
        gates.wait_inside("never")
        start = time.monotonic()
        server.stop()
        assert 0.4 < time.monotonic() - start < 10.0
        assert group_is_gone(server)


def test_a_slow_download_finishes(serve: Serve) -> None:
    server = serve("plain:application")
    with Connection(server.address) as connection:
        connection.send(http_request(target="/download?blocks=300"))
        head = connection.read_head()
        server.send(signal.SIGTERM)
        time.sleep(0.3)
        connection.read_body(head)
        assert len(head.body) == 300 * 65536
    assert server.wait() == 0


def test_stopping_while_starting() -> None:
    """No signal is lost between two steps of the start."""
    for delay in (0.0, 0.02, 0.05, 0.1, 0.2):
        with Server(APP, "--bind", "127.0.0.1:0", "--workers", "2") as server:
            time.sleep(delay)
            server.send(signal.SIGTERM)
            server.wait()
            assert group_is_gone(server)


def test_the_port_is_free_afterwards(serve: Serve) -> None:
    first = serve(APP)
    address = first.address
    with Connection(address) as connection:
        connection.send(http_request(target="/pid"))
        connection.read_response()
        assert first.stop() == 0
    second = serve(APP, "--bind", str(address))
    assert exchange(second.address, http_request(target="/pid")).status == 200
