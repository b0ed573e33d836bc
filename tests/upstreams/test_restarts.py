"""Real servers behind a front under load: restarted, reloaded, upgraded, killed; and the front itself."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Callable

from tests.load import Load
from tests.server import Server, wait_gone
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.process.conftest import Gates

Front = Callable[..., Server]


def start(place: str, env: dict[str, str] | None = None) -> Server:
    """A server with the application that `Load` asks."""
    return Server.start("steps:application", "--bind", place, "--threads", "4", env=env)


def restart(server: Server, place: str) -> Server:
    """TERM, and a new start when it has ended."""
    assert server.stop() == 0
    server.close()
    return start(place)


def test_one_of_two_is_restarted(front: Front, tmp_path: Path) -> None:
    place = f"unix:{tmp_path}/one.sock"
    one = start(place)
    with start("127.0.0.1:0") as other, Load(front([place, f"http://{other.address}"]).address) as load:
        for _ in range(3):
            load.wait_for(100)
            one = restart(one, place)
        load.wait_for(100)
        one.close()
    assert load.tally.failures == []


def test_the_only_one_is_restarted(front: Front, tmp_path: Path) -> None:
    place = f"unix:{tmp_path}/one.sock"
    server = start(place)
    with Load(front([place]).address) as load:
        load.wait_for(100)
        server = restart(server, place)
        load.wait_for(100)
    server.close()
    assert load.tally.failures == []


def test_the_only_one_is_reloaded(front: Front) -> None:
    with start("127.0.0.1:0") as server, Load(front([f"http://{server.address}"]).address) as load:
        for _ in range(2):
            load.wait_for(100)
            server.reload()
        load.wait_for(100)
    assert load.tally.failures == []


def test_one_of_two_speaks_uwsgi_and_is_restarted(front: Front, tmp_path: Path) -> None:
    place = f"unix:{tmp_path}/one.sock"
    one = start(place)
    with (
        start("127.0.0.1:0") as other,
        Load(front([f"uwsgi:{place}", f"uwsgi://{other.address}"]).address) as load,
    ):
        load.wait_for(100)
        one = restart(one, place)
        load.wait_for(100)
        one.close()
    assert load.tally.failures == []


def test_the_front_is_reloaded_and_serves_on(front: Front) -> None:
    with start("127.0.0.1:0") as upstream:
        server = front([f"http://{upstream.address}"], "--workers", "2")
        with Load(server.address, connections=0, new=4) as load:
            load.wait_for(50)
            mark = server.log.mark()
            server.send(signal.SIGHUP)
            server.log.wait_for("reloaded in", mark)
            load.wait_for(50)
        assert load.tally.failures == []


def test_a_request_that_runs_ends_before_the_front_does(front: Front, gates: Gates) -> None:
    with start("127.0.0.1:0", gates.env) as upstream:
        server = front([f"http://{upstream.address}"])
        with Connection(server.address) as connection:
            connection.send(http_request(target="/gate?name=held"))
            gates.wait_inside("held")
            mark = server.log.mark()
            server.send(signal.SIGTERM)
            server.log.wait_for("stopping", mark)
            gates.open("held")
            assert connection.read_response().status == 200
        assert server.wait() == 0


def test_a_front_that_dies_is_replaced(front: Front) -> None:
    with start("127.0.0.1:0") as upstream:
        server = front([f"http://{upstream.address}"])
        [pid] = server.worker_pids()
        server.allow("worker 1")
        os.kill(pid, signal.SIGKILL)
        wait_gone([pid], 20.0)
        deadline = time.monotonic() + 20
        while server.worker_pids() in ([], [pid]):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert exchange(server.address, http_request(target="/pid")).status == 200
