"""HUP: new code, no failed request; a broken deploy leaves the old workers serving."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.hosts.waiting import wait_until
from tests.load import Load, send_requests
from tests.process.conftest import Project
from tests.server import wait_gone
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve
    from tests.process.conftest import Gates
    from tests.server import Server

BROKEN = {
    "syntax-error": "def broken(:\n",
    "import-raises": "raise RuntimeError('planned')\n",
    "import-missing": "import no_such_module_planned\n",
    "no-app": "other = 1\n",
    "exits": "import sys\nsys.exit('planned')\n",
    "exits-zero": "import sys\nsys.exit(0)\n",
    "hard-exit": "import os\nos._exit(3)\n",
    # As where a limit on processes is reached: the third of four threads is refused.
    "no-threads": (
        "import threading\nstart = threading.Thread.start\n"
        "def refused(self):\n    if self.name == 'tapster-3':\n        raise RuntimeError('planned')\n    start(self)\n"
        "threading.Thread.start = refused\napp = lambda environ, start_response: []\n"
    ),
    "crashes": "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n",
}


def version(server: Server) -> str:
    return exchange(server.address, http_request(target="/version")).body.decode()


def test_under_load_nothing_fails(serve: Serve, project: Project) -> None:
    server = serve("versioned:app", "--workers", "2", cwd=project.directory)
    assert version(server) == "1"
    with Load(server.address) as load:
        for number in ("2", "3"):
            project.write(number)
            server.reload()
            assert version(server) == number
            load.wait_for(50)
    assert load.tally.failures == []
    assert len(server.worker_pids()) == 2


def test_a_request_inside_finishes_on_the_old_code(serve: Serve, project: Project, gates: Gates) -> None:
    server = serve("versioned:app", cwd=project.directory, env=gates.env)
    with Connection(server.address) as connection:
        connection.send(http_request(target="/gate?name=old"))
        old = gates.wait_inside("old")
        project.write("2")
        server.send(signal.SIGHUP)
        wait_for_version(server, "2")
        gates.open("old")
        assert connection.read_response().body == b"opened old"
    wait_gone([old], 20.0)
    assert len(server.worker_pids()) == 1


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_deploy_harms_nobody(serve: Serve, project: Project, text: str) -> None:
    server = serve("versioned:app", "--workers", "2", cwd=project.directory)
    server.allow("SyntaxError|no_such_module_planned|SystemExit")
    workers = server.worker_pids()
    with Load(server.address, connections=2) as load:
        project.replace(text)
        mark = server.log.mark()
        server.send(signal.SIGHUP)
        server.log.wait_for("reload given up", mark)
        load.wait_for(50)
        assert version(server) == "1"
        wait_until(lambda: server.worker_pids() == workers, "the workers of before, and no other")
        project.write("2")
        server.reload()
        assert version(server) == "2"
    assert load.tally.failures == []


def test_a_deploy_that_moves_a_symbolic_link(serve: Serve, tmp_path: Path) -> None:
    """Each new worker changes to the directory by its path."""
    for number in ("1", "2"):
        Project(tmp_path / f"release{number}").write(number)
    current = tmp_path / "current"
    current.symlink_to("release1")
    server = serve("versioned:app", "--chdir", str(current))
    assert version(server) == "1"
    current.unlink()
    current.symlink_to("release2")
    server.reload()
    assert version(server) == "2"


def test_many_hups_at_once(serve: Serve, project: Project) -> None:
    server = serve("versioned:app", "--workers", "2", cwd=project.directory)
    with Load(server.address, connections=4) as load:
        project.write("2")
        for _ in range(100):
            server.send(signal.SIGHUP)
        wait_for_version(server, "2")
        load.wait_for(200)
    assert load.tally.failures == []
    assert server.stop() == 0


def test_ten_thousand_requests_and_a_reload(serve: Serve) -> None:
    """10,000 requests over 64 connections, 2 workers of 4 threads, a HUP in the middle: 10,000 right answers."""
    server = serve("steps:application", "--workers", "2", "--threads", "4")
    old = server.worker_pids()
    tally = send_requests(server.address, 10_000, 64, at=5_000, then=lambda: server.send(signal.SIGHUP))
    assert tally.failures == []
    assert tally.right == 10_000
    wait_gone(old, 20.0)
    assert len(server.worker_pids()) == 2


def test_idle_connections_go_to_the_new_worker(serve: Serve, project: Project) -> None:
    """More of them than an inbox holds at once; whoever sends the next request is answered on the same connection."""
    server = serve("versioned:app", cwd=project.directory)
    with ExitStack() as stack:
        clients = [stack.enter_context(Connection(server.address, timeout=30.0)) for _ in range(900)]
        for client in clients:
            client.send(http_request(target="/version"))
            assert client.read_response().body == b"1"
        project.write("2")
        server.reload()
        for client in clients:
            client.send(http_request(target="/version"))
            assert client.read_response().body == b"2"


def wait_for_version(server: Server, wanted: str) -> None:
    """Until a new connection is answered by the new code."""
    deadline = time.monotonic() + 20.0
    while version(server) != wanted:
        assert time.monotonic() < deadline, f"never answered by version {wanted}"
