"""The control socket and the health checks over an upgrade: they are about the server in charge."""

from __future__ import annotations

import json
import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.control.operator import Operator
from tests.control.test_admin import admin_of, probe
from tests.control.test_places import Host, host
from tests.hosts.waiting import wait_until
from tests.server import Server
from tests.upgrade.conftest import HELD, start
from tests.upgrade.generations import TAKEN, Generations
from tests.wire import Connection, http_request

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from tests.process.conftest import Gates, Project
    from tests.upgrade.conftest import Start

__all__ = ["host", "start"]


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


def test_an_order_that_an_upgrade_overtakes_is_for_the_new_server(
    start: Start, project: Project, gates: Gates, tmp_path: Path
) -> None:
    """Whoever ordered it found the old one a moment ago."""
    path = tmp_path / "control.sock"
    generations = start("--control-socket", str(path))
    operator, old = Operator(generations.server, path), generations.pid
    with operator.connect() as line, Connection(generations.server.address) as connection:
        assert line.ask(command="version")["pid"] == old
        connection.send(http_request(target="/gate?name=held"))
        gates.wait_inside("held")
        # A reload of the old server has no end.
        project.write("2", before=f"import os, time\nwhile os.getppid() == {old}: time.sleep(0.01)")
        done: list[subprocess.CompletedProcess[str]] = []
        reload = threading.Thread(target=lambda: done.append(operator.run("reload", timeout=60.0)))
        mark = generations.log.mark()
        reload.start()
        generations.log.wait_for("reloading", mark)
        generations.send(signal.SIGUSR2)
        new = int(generations.log.wait_for(TAKEN.format(old=old), mark, 30.0)[1])
        reload.join()
        assert (done[0].returncode, done[0].stdout[:12]) == (0, "reloaded in "), done
        generations.log.wait_for(rf"\[{new}\] .*reloaded in", mark)
        # The old server still runs its request, and listens to whom it knows.
        for order in ("reload", "stop"):
            answer = line.ask(command=order)
            assert (answer["ok"], answer["successor"]) == (False, new)
        gates.open("held")
        assert connection.read_response().status == 200
    generations.follow(mark)
    generations.stop()


class Asking:
    """Operators in the background that ask a server again and again."""

    def __init__(self, *ask: Callable[[], None]) -> None:
        self.failures: list[str] = []
        self.answers = 0
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(one,)) for one in ask]

    def wait_for(self, more: int) -> None:
        """Waits until this many more were answered."""
        target = self.answers + more
        wait_until(lambda: self.answers >= target, "answers of the new server")

    def _run(self, ask: Callable[[], None]) -> None:
        while not self._done.is_set():
            try:
                ask()
                self.answers += 1
            except Exception as error:  # whatever it is, the operator saw a failure
                self.failures.append(f"{type(error).__name__}: {error}")

    def __enter__(self) -> Asking:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join(30.0)


def test_there_is_always_somebody_at_the_control_socket(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    generations = start("--control-socket", str(path))
    operator = Operator(generations.server, path)

    def ask() -> None:
        for _ in range(2):
            with operator.connect() as line, suppress(json.JSONDecodeError):
                assert line.ask(command="status")["ok"]
                return
        # Who was connected to the old server when it ended asks once more, as the commands do.
        raise AssertionError("no answer, twice")

    with Asking(ask, ask) as asking:
        for _ in range(5):
            generations.upgrade()
            asking.wait_for(5)
    assert asking.failures == []
    assert operator.status()["pid"] == generations.pid
    generations.stop()
    assert not path.exists()


def test_commands_find_one_server_all_the_time(host: Host, project: Project, gates: Gates) -> None:
    """Without a path: there is no moment in which they find none, or two."""
    arguments = ("versioned:app", "--bind", "127.0.0.1:0")
    env = {**host.env, **gates.env}
    directory = project.directory
    with Server(*arguments, cwd=directory, env=env, wrapper=host.enter_from(directory)) as server:
        server.wait_ready()
        generations = Generations(server)

        def ask() -> None:
            done = host.run("status")
            assert done.returncode == 0, done.stderr

        with Asking(ask, ask) as asking:
            for _ in range(4):
                generations.upgrade()
                asking.wait_for(2)
        assert asking.failures == []
        assert host.run("reload", "--pid", str(generations.pid)).returncode == 0
        assert host.run("stop").stdout == f"stopped: pid {generations.pid}\n"
