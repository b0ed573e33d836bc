"""sd_notify(3): the service manager hears when the server is ready, reloads, stops, and that it lives."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.hosts.manager import Manager
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve

APP = "versioned:app"
BROKEN = "raise RuntimeError('planned, at import')\n"
SHOWS_VARIABLES = """
import os

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    found = sorted(name for name in os.environ if name.startswith(("NOTIFY_", "WATCHDOG_", "LISTEN_")))
    return [" ".join(found).encode()]
"""


@pytest.fixture(params=["path", "abstract"])
def name(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A name for the manager's socket, of either kind."""
    return str(tmp_path / "notify") if request.param == "path" else f"@tapster-test-{os.getpid()}"


def test_the_life_of_a_server(serve: Serve, tmp_path: Path, name: str) -> None:
    app = tmp_path / "versioned.py"
    app.write_text(SHOWS_VARIABLES)
    with Manager(name) as manager:
        server = serve(APP, "--workers", "2", cwd=tmp_path, env=manager.env)
        ready = manager.wait_for("READY", "1")
        assert "2 workers" in ready["STATUS"]
        before = time.monotonic_ns() // 1000
        server.send(signal.SIGHUP)
        reloading = manager.wait_for("RELOADING", "1")
        assert before <= int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
        assert "reloaded" in manager.wait_for("READY", "1")["STATUS"]
        app.write_text(BROKEN)
        server.send(signal.SIGHUP)
        manager.wait_for("RELOADING", "1")
        assert "given up" in manager.wait_for("READY", "1")["STATUS"]
        server.send(signal.SIGTERM)
        manager.wait_for("STOPPING", "1")
        assert server.wait() == 0


def test_the_watchdog_is_kept_quiet_and_the_application_knows_nothing(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "versioned.py").write_text(SHOWS_VARIABLES)
    with Manager(str(tmp_path / "notify")) as manager:
        server = serve(APP, cwd=tmp_path, env={**manager.env, "WATCHDOG_USEC": "400000"})
        for _ in range(4):
            manager.wait_for("WATCHDOG", "1")
        assert exchange(server.address, http_request(target="/")).body == b""


def test_a_watchdog_of_another_process_is_left_alone(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "versioned.py").write_text(SHOWS_VARIABLES)
    with Manager(str(tmp_path / "notify")) as manager:
        others = {**manager.env, "WATCHDOG_USEC": "20000", "WATCHDOG_PID": "1"}
        server = serve(APP, cwd=tmp_path, env=others)
        server.send(signal.SIGHUP)
        manager.wait_for("RELOADING", "1")
        assert not any("WATCHDOG" in message for message in manager.messages)


@pytest.mark.parametrize("name", ["/nowhere/notify", "relative", "vsock:2:1", "@nobody"])
def test_a_manager_that_is_not_there_is_no_trouble(serve: Serve, name: str) -> None:
    server = serve("steps:application", env={"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "1000000"})
    assert exchange(server.address, http_request(target="/pid")).status == 200
    assert server.stop() == 0
