"""What an operator orders while two servers run."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from tests.hosts.waiting import wait_until
from tests.server import wait_gone
from tests.upgrade.conftest import HELD
from tests.upgrade.generations import version
from tests.wire import Connection, http_request

if TYPE_CHECKING:
    from tests.process.conftest import Gates, Project
    from tests.upgrade.conftest import Start
    from tests.upgrade.generations import Generations


def begin(server: Generations, project: Project, gates: Gates) -> tuple[int, int]:
    """Upgrades to version 2, whose import does not end; where the log was, and the new server's pid."""
    mark = server.log.mark()
    project.write("2", before=HELD)
    server.send(signal.SIGUSR2)
    gates.wait_inside("import")
    return mark, int(server.log.wait_for(r"upgrading: pid (\d+) starts", mark).group(1))


def test_term_stops_both(start: Start, project: Project, gates: Gates) -> None:
    server = start("--workers", "2")
    _, new = begin(server, project, gates)
    assert server.server.stop() == 0
    wait_gone([new], 20.0)


def test_term_waits_for_requests_and_a_second_one_does_not(
    start: Start, project: Project, gates: Gates
) -> None:
    server = start()
    with Connection(server.server.address) as connection:
        connection.send(http_request(target="/gate?name=never"))
        gates.wait_inside("never")
        mark, new = begin(server, project, gates)
        server.send(signal.SIGTERM)
        wait_gone([new], 20.0)
        server.log.wait_for("stopping: finishing requests", mark)
        server.send(signal.SIGTERM)
        assert server.server.wait() == 0


def test_term_right_after_usr2(start: Start) -> None:
    """No step of the start is one in which the signal is lost."""
    for _ in range(5):
        server = start()
        mark = server.log.mark()
        server.send(signal.SIGUSR2)
        new = int(server.log.wait_for(r"upgrading: pid (\d+) starts", mark).group(1))
        server.send(signal.SIGTERM)
        assert server.server.wait(20.0) == 0
        wait_gone([new], 20.0)


def test_hup_is_for_both(start: Start, project: Project, gates: Gates) -> None:
    server = start()
    mark, _ = begin(server, project, gates)
    project.write("3")
    server.send(signal.SIGHUP)
    wait_until(lambda: version(server.server.address) == "3", "the old server has the new code")
    gates.open("import")
    server.follow(mark)
    wait_until(lambda: version(server.server.address) == "3", "the new server has the new code")
    server.log.wait_for(rf"\[{server.pid}\] .*reloaded in", mark)


def test_the_new_server_obeys_at_once(start: Start, project: Project) -> None:
    server = start()
    server.upgrade()
    project.write("2")
    mark = server.log.mark()
    server.send(signal.SIGHUP)
    server.log.wait_for("reloaded in", mark)
    assert version(server.server.address) == "2"
    server.stop()


def test_no_upgrade_of_a_server_that_stops(start: Start, gates: Gates) -> None:
    server = start()
    with Connection(server.server.address) as connection:
        connection.send(http_request(target="/gate?name=slow"))
        gates.wait_inside("slow")
        mark = server.log.mark()
        server.send(signal.SIGTERM)
        server.log.wait_for("stopping", mark)
        server.send(signal.SIGUSR2)
        server.log.wait_for("no upgrade: this server stops", mark)
        gates.open("slow")
        assert connection.read_response().body == b"opened slow"
    assert server.server.wait() == 0
