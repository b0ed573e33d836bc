"""The control socket and the health checks over an upgrade: they are about the server in charge."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

from tests.control.operator import Operator
from tests.control.test_admin import admin_of, probe
from tests.hosts.waiting import wait_until
from tests.upgrade.conftest import HELD, start

if TYPE_CHECKING:
    from pathlib import Path

    from tests.process.conftest import Gates, Project
    from tests.upgrade.conftest import Start

__all__ = ["start"]


def test_both_follow_the_server_in_charge(
    start: Start, project: Project, gates: Gates, tmp_path: Path
) -> None:
    path = tmp_path / "control.sock"
    generations = start("--control-socket", str(path), "--admin-bind", "127.0.0.1:0")
    admin = admin_of(generations.server)
    operator = Operator(generations.server, path)
    old = generations.pid
    failures: list[int] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            status = probe(admin, "ready")[0]
            if status != 200:
                failures.append(status)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        project.write("2", before=HELD)
        mark = generations.log.mark()
        generations.send(signal.SIGUSR2)
        gates.wait_inside("import")
        assert operator.status()["pid"] == old
        gates.open("import")
        new = generations.follow(mark)
        wait_until(path.exists, "the socket of the new server")
        assert operator.status()["pid"] == new
        assert operator.say("health", "--ready") == "ready\n"
    finally:
        done.set()
        watcher.join(30.0)
    assert not failures
    assert operator.say("stop") == f"stopped: pid {new}\n"
    assert not path.exists()


def test_an_upgrade_that_fails_leaves_both_with_the_old_server(
    start: Start, project: Project, tmp_path: Path
) -> None:
    path = tmp_path / "control.sock"
    generations = start("--control-socket", str(path), "--admin-bind", "127.0.0.1:0")
    generations.server.allow("planned")
    admin = admin_of(generations.server)
    project.replace("raise RuntimeError('planned')\n")
    generations.fail("before it took over")
    assert Operator(generations.server, path).status()["pid"] == generations.pid
    assert probe(admin, "ready") == (200, b"ready\n")
