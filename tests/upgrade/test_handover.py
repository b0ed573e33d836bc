"""The moment in which one server hands over to the next: whatever is ordered then is neither lost nor done twice.

The test plays the other server: the new one from `sitecustomize.py`, the old one by a socketpair.
"""

from __future__ import annotations

import os
import pty
import signal
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from tests.hosts.test_leaving import TAKE_TERMINAL
from tests.hosts.waiting import wait_until
from tests.server import Server, wait_gone
from tests.upgrade.generations import TAKEN, version
from tests.wire import Connection, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.process.conftest import Gates, Project
    from tests.upgrade.conftest import Start
    from tests.upgrade.generations import Generations

#: A new server that says it is ready, and then does what is put in.
ACTOR = """
import os, signal, socket, sys, time
if "TAPSTER_PREDECESSOR" in os.environ:
    pid, number = os.environ["TAPSTER_PREDECESSOR"].split(",")
    line = socket.socket(fileno=int(number))
    line.sendall(b"booting 60000\\nready\\n")
    assert line.recv(100) == b"go\\n"
    {act}
    os._exit(0)
"""


def act(project: Project, text: str) -> None:
    """What the next new server does when it is told to take over."""
    (project.directory / "sitecustomize.py").write_text(ACTOR.format(act=text))


class OldServer:
    """What a new server sees of the old one."""

    def __init__(self, project: Project, gates: Gates) -> None:
        self.keyboard, terminal = pty.openpty()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.line, theirs = socket.socketpair()
        self.line.settimeout(20.0)
        address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        env = {
            **gates.env,
            "TAPSTER_PREDECESSOR": f"{os.getpid()},{theirs.fileno()}",
            "TAPSTER_LISTENERS": f"{self.listener.fileno()}={address}",
        }
        # The numbers are those that the variables name.
        keep = [self.listener.fileno(), theirs.fileno(), terminal]
        wrapper = [sys.executable, "-c", TAKE_TERMINAL, str(terminal)]
        self.new = Server(
            *("versioned:app", "--bind", address),
            cwd=project.directory,
            env=env,
            pass_fds=keep,
            wrapper=wrapper,
        )
        theirs.close()
        os.close(terminal)
        self.heard = ""

    def hear(self, word: str) -> None:
        """Waits until the new server says this."""
        while word not in self.heard.split("\n"):
            more = self.line.recv(1000)
            assert more, f"the line ended before {word!r}: {self.heard!r}"
            self.heard += more.decode()

    def say(self, text: str) -> None:
        self.line.sendall(text.encode())

    def press_control_c(self) -> None:
        os.write(self.keyboard, b"\x03")

    def close(self) -> None:
        self.new.close()
        os.close(self.keyboard)
        self.line.close()
        self.listener.close()


@pytest.fixture
def old(project: Project, gates: Gates) -> Iterator[OldServer]:
    """A new server that is ready, and the old one's place beside it."""
    made = OldServer(project, gates)
    made.hear("ready")
    made.new.wait_addresses()
    yield made
    made.close()


def test_a_new_server_passes_an_early_order_to_stop_on(old: OldServer, gates: Gates) -> None:
    """It was named as the server a moment ago: systemd and PID 1 send TERM to it alone."""
    with Connection(old.new.address) as connection:
        connection.send(http_request(target="/gate?name=held"))
        gates.wait_inside("held")
        old.new.send(signal.SIGTERM)
        old.new.log.wait_for("stopping: finishing requests")
        old.say("go\n")
        old.hear("stop")
        gates.open("held")
        assert connection.read_response().status == 200
    assert old.new.wait() == 0
    assert "took" not in old.heard


def test_control_c_reaches_a_new_server_once(old: OldServer, gates: Gates) -> None:
    """A terminal sends it to both servers, and the old one passes it on besides."""
    with Connection(old.new.address) as connection:
        connection.send(http_request(target="/gate?name=held"))
        gates.wait_inside("held")
        old.say("stop interrupt\n")
        old.new.log.wait_for(r"finishing requests for up to 3\.0 s")
        old.press_control_c()
        gates.open("held")
        assert connection.read_response().status == 200
    assert old.new.wait() == 0
    assert not old.new.log.find("at once$")


def test_an_old_server_stops_when_the_one_it_named_was_told_to(start: Start, project: Project) -> None:
    server = start(PYTHONPATH=str(project.directory))
    act(project, "line.sendall(b'stop\\n')")
    server.send(signal.SIGUSR2)
    assert server.server.wait(20.0) == 0


def test_a_new_server_that_ends_when_it_should_take_over(start: Start, project: Project) -> None:
    server = start(PYTHONPATH=str(project.directory))
    act(project, "pass")
    server.fail("before it took over")
    assert version(server.server.address) == "1"
    server.stop()


def test_a_new_server_that_hangs_when_it_should_take_over(
    start: Start, project: Project, tmp_path: Path
) -> None:
    """Everything is the old one's again: the pidfile, the file of its socket, the control socket."""
    path, pidfile, control = tmp_path / "app.sock", tmp_path / "pid", tmp_path / "control"
    server = start(
        *("--bind", f"unix:{path}", "--pidfile", str(pidfile), "--control-socket", str(control)),
        PYTHONPATH=str(project.directory),
    )
    act(project, f"open({str(pidfile)!r}, 'w').write(str(os.getpid())); time.sleep(600)")
    server.fail(r"did not take over within 10 s")
    wait_until(lambda: pidfile.read_text() == f"{server.pid}\n", "the pidfile is the old server's again")
    wait_until(control.exists, "the control socket is the old server's again")
    assert version(server.server.unix) == "1"
    server.stop()
    assert not (path.exists() or pidfile.exists() or control.exists())


def upgraded_around(start: Start, gates: Gates, *arguments: str) -> tuple[Generations, int, Connection]:
    """A server that has just taken over, the pid of the one before it, and a request that this still runs."""
    server = start(*arguments)
    old = server.pid
    connection = Connection(server.server.address)
    connection.send(http_request(target="/gate?name=held"))
    gates.wait_inside("held")
    mark = server.log.mark()
    server.send(signal.SIGUSR2)
    server.pid = int(server.log.wait_for(TAKEN.format(old=old), mark, 30.0).group(1))
    server.log.wait_for(rf"\[{old}\] .*stopping: finishing requests", mark)
    return server, old, connection


def test_the_first_order_to_stop_the_old_server_cuts_nothing(start: Start, gates: Gates) -> None:
    """Who upgrades by hand, as gunicorn's manual says, ends the old server with TERM."""
    server, old, connection = upgraded_around(start, gates)
    with connection:
        mark = server.log.mark()
        os.kill(old, signal.SIGTERM)
        server.log.wait_for(rf"\[{old}\] .*stopping already", mark)
        gates.open("held")
        assert connection.read_response().body == b"opened held"
    wait_gone([old], 20.0)
    assert version(server.server.address) == "1"
    server.stop()


def test_the_second_one_does(start: Start, gates: Gates) -> None:
    server, old, connection = upgraded_around(start, gates)
    with connection:
        mark = server.log.mark()
        os.kill(old, signal.SIGTERM)
        server.log.wait_for(rf"\[{old}\] .*stopping already", mark)
        os.kill(old, signal.SIGTERM)
        wait_gone([old], 20.0)
    server.stop()


def test_a_reload_that_reaches_the_old_server_late(start: Start, project: Project, gates: Gates) -> None:
    """Whoever sent it read the pidfile a moment before it changed."""
    server, old, connection = upgraded_around(start, gates)
    with connection:
        project.write("2")
        mark = server.log.mark()
        os.kill(old, signal.SIGHUP)
        server.log.wait_for(rf"\[{server.pid}\] .*reloaded in", mark)
        assert version(server.server.address) == "2"
        gates.open("held")
        assert connection.read_response().body == b"opened held"
    server.stop()
