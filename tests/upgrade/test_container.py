"""As PID 1: that process stays and buries the dead, whoever the server is."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.hosts.waiting import wait_until
from tests.kernel import wait_until_stopped
from tests.load import Load
from tests.server import Server, children, wait_gone
from tests.upgrade.generations import version
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.process.conftest import Gates, Project

CONTAINER = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child")


@pytest.fixture
def container(project: Project, gates: Gates) -> Iterator[Server]:
    """A server in a PID namespace of its own."""
    with Server.start("versioned:app", cwd=project.directory, env=gates.env, wrapper=CONTAINER) as server:
        yield server


def init_of(container: Server) -> int:
    """PID 1, by its number outside."""
    return children(container.pid)[0]


def in_charge(container: Server) -> int:
    """The number inside of the server that took over last, or of the first."""
    taken = container.log.find("has taken over from")
    line = taken[-1] if taken else container.log.find("starts versioned:app")[0]
    found = re.search(r"pid (\d+)", line)
    assert found
    return int(found.group(1))


def upgrade(container: Server) -> None:
    mark, old = container.log.mark(), in_charge(container)
    os.kill(init_of(container), signal.SIGUSR2)
    container.log.wait_for(f"pid {old}, the server before this one, is gone", mark, 30.0)


def test_the_container_outlives_its_servers(container: Server, project: Project) -> None:
    init = init_of(container)
    first = in_charge(container)
    assert first != 1
    with Load(container.address) as load:
        for number in ("2", "3"):
            project.write(number)
            upgrade(container)
            assert version(container.address) == number
            load.wait_for(20)
    assert load.tally.failures == []
    assert init_of(container) == init
    os.kill(init, signal.SIGTERM)
    assert container.wait(20.0) == 0


def test_a_failed_upgrade(container: Server, project: Project) -> None:
    mark = container.log.mark()
    project.replace("raise RuntimeError('planned')\n")
    os.kill(init_of(container), signal.SIGUSR2)
    container.log.wait_for("the upgrade failed", mark)
    assert version(container.address) == "1"
    os.kill(init_of(container), signal.SIGTERM)
    assert container.wait(20.0) == 0


def test_a_stop_while_the_old_server_finishes_is_no_failure(container: Server, gates: Gates) -> None:
    init, old = init_of(container), in_charge(container)
    with Connection(container.address) as connection:
        connection.send(http_request(target="/gate?name=held"))
        gates.wait_inside("held")
        mark = container.log.mark()
        os.kill(init, signal.SIGUSR2)
        new = int(container.log.wait_for(rf"pid (\d+) has taken over from pid {old}\b", mark, 30.0)[1])
        container.log.wait_for(rf"\[{old}\] .*stopping: finishing requests", mark)
        os.kill(init, signal.SIGTERM)
        container.log.wait_for(f"pid {new}, which has taken over, exited with code 0", mark)
        gates.open("held")
        assert connection.read_response().body == b"opened held"
    assert container.wait(20.0) == 0


def test_orphans_are_buried(container: Server) -> None:
    init = init_of(container)
    (server,) = children(init)
    (worker,) = children(server)
    assert exchange(container.address, http_request(target="/fork?seconds=60")).status == 200
    os.kill(worker, signal.SIGKILL)
    wait_gone([worker], 10.0)
    wait_until(lambda: not zombies(init), "no zombie is left")


def test_the_exit_code_is_the_servers(project: Project) -> None:
    project.replace("raise RuntimeError('planned')\n")
    arguments = ("versioned:app", "--bind", "127.0.0.1:0")
    with Server(*arguments, cwd=project.directory, wrapper=CONTAINER) as server:
        assert server.wait(20.0) == 3


def test_a_server_that_is_killed_ends_the_container(container: Server) -> None:
    (server,) = children(init_of(container))
    os.kill(server, signal.SIGKILL)
    assert container.wait(20.0) == 128 + signal.SIGKILL


def test_it_ends_as_its_server_did_whoever_is_buried_with_that(container: Server) -> None:
    """Workers of a server that was killed end with it, and PID 1 may hear of all of them at once."""
    init = init_of(container)
    (server,) = children(init)
    (worker,) = children(server)
    os.kill(init, signal.SIGSTOP)
    wait_until_stopped(init)
    for pid in (server, worker):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(zombies(init)) == 2, "both are dead")
    os.kill(init, signal.SIGCONT)
    assert container.wait(20.0) == 128 + signal.SIGKILL


def zombies(parent: int) -> list[str]:
    """Children that ended and were not buried."""
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text(encoding="latin-1")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if text.rpartition(")")[2].split()[:2] == ["Z", str(parent)]:
            found.append(text)
    return found
