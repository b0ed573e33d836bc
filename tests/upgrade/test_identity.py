"""Those who ask which process is the server: a pidfile, a service manager, health checks, whoever opened the sockets."""

from __future__ import annotations

import signal
import socket
import sys
from typing import TYPE_CHECKING

from tests.address import addresses_in
from tests.hosts.manager import Manager
from tests.hosts.waiting import wait_until
from tests.load import Load
from tests.server import REPOSITORY, Server
from tests.upgrade.generations import Generations, version
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve
    from tests.process.conftest import Gates, Project
    from tests.upgrade.conftest import Start


def test_the_pidfile_always_names_the_server(start: Start, project: Project, tmp_path: Path) -> None:
    path = tmp_path / "tapster.pid"
    server = start("--pidfile", str(path))
    seen = {int(path.read_text())}
    assert seen == {server.pid}
    server.upgrade()
    assert int(path.read_text()) == server.pid, "the old server has left it alone"
    project.replace("raise RuntimeError('planned')\n")
    server.fail("exited with code 3")
    assert int(path.read_text()) == server.pid, "a server that failed has too"
    server.stop()
    wait_until(lambda: not path.exists(), "the file is removed at the end")


def test_a_pidfile_that_cannot_be_written(start: Start, project: Project, tmp_path: Path) -> None:
    """The new server cannot say who it is, so it does not become the server."""
    configuration = project.directory / "tapster.toml"
    configuration.write_text('bind = ["127.0.0.1:0"]\n')
    server = start()
    configuration.write_text(f'bind = ["127.0.0.1:0"]\npidfile = "{tmp_path}/nowhere/pid"\n')
    mark = server.log.mark()
    server.fail("before it took over")
    server.log.wait_for("cannot write the pidfile", mark)
    assert version(server.server.address) == "1"


def test_the_service_manager_is_told(start: Start, project: Project, tmp_path: Path) -> None:
    """MAINPID from the old server, then READY from the new one: what NotifyAccess=main wants."""
    with Manager(str(tmp_path / "notify")) as manager:
        manager.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        server = start(**manager.env)
        manager.wait_for("READY", "1")
        old = server.pid
        project.write("2")
        server.upgrade()
        mark = len(manager.messages)
        manager.wait_for("READY", "1")
        told = [name for message in manager.messages[mark:] for name in message]
        assert told.count("MAINPID") == 1
        assert told.index("MAINPID") < told.index("READY")
        assert "STOPPING" not in told, "the service goes on"
        assert manager.messages[mark]["MAINPID"] == str(server.pid) != str(old)
        server.stop()
        manager.wait_for("STOPPING", "1")


def test_a_failure_leaves_the_service_manager_alone(start: Start, project: Project, tmp_path: Path) -> None:
    with Manager(str(tmp_path / "notify")) as manager:
        server = start(**manager.env)
        manager.wait_for("READY", "1")
        mark = len(manager.messages)
        project.replace("raise RuntimeError('planned')\n")
        server.fail("exited with code 3")
        server.stop()
        manager.wait_for("STOPPING", "1")
        assert [name for message in manager.messages[mark:] for name in message if name == "MAINPID"] == []


def test_the_watchdog_is_the_new_servers(start: Start, tmp_path: Path) -> None:
    with Manager(str(tmp_path / "notify")) as manager:
        server = start(WATCHDOG_USEC="400000", **manager.env)
        server.upgrade()
        server.upgrade()
        manager.wait_for("WATCHDOG", "1")


def test_sockets_of_a_service_manager_are_passed_on(serve: Serve, project: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.fileno()
        wrapper = [sys.executable, str(REPOSITORY / "tests/hosts/pass_sockets.py"), "web", str(number)]
        first = Server("versioned:app", cwd=project.directory, env={}, pass_fds=[number], wrapper=wrapper)
        with first:
            first.wait_ready()
            server = Generations(first)
            with Load(first.address) as load:
                for _ in range(2):
                    server.upgrade()
                    load.wait_for(20)
            assert load.tally.failures == []
            server.stop()


def test_health_checks_are_about_the_server_in_charge(start: Start, project: Project) -> None:
    configuration = project.directory / "tapster.toml"
    configuration.write_text('bind = ["127.0.0.1:0"]\nadmin-bind = ["127.0.0.1:0"]\n')
    server = start()
    admin = addresses_in(server.log.wait_for("health checks at .*").group())[0]
    answers: set[int] = set()
    mark = server.log.mark()
    old = server.pid
    server.send(signal.SIGUSR2)
    while not server.log.find(f"pid {old}, the server before this one, is gone", mark):
        answers.add(exchange(admin, http_request(target="/-/ready")).status)
    server.follow(mark)
    answers.add(exchange(admin, http_request(target="/-/ready")).status)
    assert answers == {200}


def test_who_asked_the_old_server_is_told_of_the_service(
    start: Start, project: Project, gates: Gates
) -> None:
    """A probe that the old server accepted and that sends its request late: the service is ready, and this one is its end."""
    configuration = project.directory / "tapster.toml"
    configuration.write_text('bind = ["127.0.0.1:0"]\nadmin-bind = ["127.0.0.1:0"]\n')
    server = start()
    admin = addresses_in(server.log.wait_for("health checks at .*").group())[0]
    old = server.pid
    with Connection(server.server.address) as held, Connection(admin) as probe:
        held.send(http_request(target="/gate?name=held"))
        gates.wait_inside("held")
        # Connections are accepted in order: with the second one answered, the first one is the old server's.
        assert exchange(admin, http_request(target="/-/ready")).status == 200
        mark = server.log.mark()
        server.send(signal.SIGUSR2)
        server.log.wait_for(rf"\[{old}\] .*stopping: finishing requests", mark)
        probe.send(http_request(target="/-/ready"))
        assert probe.read_response().status == 200
        gates.open("held")
        assert held.read_response().body == b"opened held"
    server.follow(mark)
