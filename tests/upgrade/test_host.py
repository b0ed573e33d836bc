"""What the new server finds of its host: what the operator left, and nothing that the old server has changed."""

from __future__ import annotations

import os
import pwd
import re
import signal
import stat
from contextlib import ExitStack
from pathlib import Path

from tests.address import addresses_in
from tests.hosts.conftest import REACHABLE, common
from tests.hosts.waiting import wait_until
from tests.load import Load
from tests.process.conftest import Gates, Project
from tests.server import Server, wait_gone
from tests.upgrade.conftest import HELD
from tests.upgrade.generations import Generations, version
from tests.wire import exchange, http_request

__all__ = ["common"]

WEB = pwd.getpwnam("www-data")


def umask(pid: int) -> str:
    found = re.search(r"^Umask:\s+(\d+)$", Path(f"/proc/{pid}/status").read_text(), re.M)
    assert found
    return found[1]


def open_files(pid: int) -> list[str]:
    """The soft limit and the hard one."""
    found = re.search(r"^Max open files +(\d+) +(\d+)", Path(f"/proc/{pid}/limits").read_text(), re.M)
    assert found
    return list(found.groups())


def users(pid: int) -> set[str]:
    found = re.search(r"^Uid:\s+(.+)$", Path(f"/proc/{pid}/status").read_text(), re.M)
    assert found
    return set(found[1].split())


def test_what_options_changed_ends_with_the_options(project: Project) -> None:
    """Neither the umask nor the limit that the first server set for itself is the second's."""
    configuration = project.directory / "tapster.toml"
    configuration.write_text('bind = ["127.0.0.1:0"]\numask = "077"\nlimit-nofile = 300\n')
    wrapper = ["prlimit", "--nofile=400:600", "sh", "-c", 'umask 022; exec "$@"', "sh"]
    with Server("versioned:app", cwd=project.directory, wrapper=wrapper) as first:
        first.wait_ready()
        server = Generations(first)
        assert (umask(server.pid), open_files(server.pid)) == ("0077", ["300", "600"])
        configuration.write_text('bind = ["127.0.0.1:0"]\nlog-level = "debug"\n')
        mark = server.log.mark()
        server.upgrade()
        assert (umask(server.pid), open_files(server.pid)) == ("0022", ["600", "600"])
        server.log.wait_for("raised from 400 to 600", mark)
        assert version(first.address) == "1"
        server.stop()


def test_workers_are_the_user_and_the_supervisor_stays_root(common: Path) -> None:
    """So that a third server may become somebody else again."""
    project = Project(common)
    project.write("1")
    path = common / "app.sock"
    arguments = ("--user", "www-data", "--pidfile", str(common / "pid"), "--bind", f"unix:{path},127.0.0.1:0")
    with ExitStack() as stack:
        first = stack.enter_context(Server("versioned:app", *arguments, cwd=common, wrapper=REACHABLE))
        first.wait_ready()
        server = Generations(first)
        with Load(first.unix) as load:
            for number in ("2", "3"):
                project.write(number)
                server.upgrade()
                assert version(first.unix) == number
                assert int((common / "pid").read_text()) == server.pid
                assert users(server.pid) == {"0"}
                assert [users(pid) for pid in server.workers()] == [{str(WEB.pw_uid)}]
                found = path.stat()
                assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (WEB.pw_uid, 0o660)
                load.wait_for(20)
        assert load.tally.failures == []
        server.stop()
        assert not path.exists()


def test_a_log_file_that_is_moved_away_meanwhile(project: Project, gates: Gates, tmp_path: Path) -> None:
    """USR1 at the old server is for both: neither writes to the old file any more, but a worker that still imports."""
    log, moved = tmp_path / "log", tmp_path / "log.1"
    arguments = ("--log-file", str(log), "--access-log", "on", "--bind", "127.0.0.1:0")
    with Server("versioned:app", *arguments, cwd=project.directory, env=gates.env) as first:
        wait_until(lambda: log.exists() and "ready after" in log.read_text(), "the first server")
        (address,) = addresses_in(log.read_text())
        project.write("2", before=HELD)
        first.send(signal.SIGUSR2)
        gates.wait_inside("import")
        log.rename(moved)
        first.send(signal.SIGUSR1)
        wait_until(lambda: log.exists() and log.read_text().count("opened again") == 2, "both say so")
        told = moved.read_text()
        gates.open("import")
        assert first.wait(20.0) == 0
        # It hears of the new file when it has imported, which it may have told of before.
        assert re.sub(r".*\bserving versioned:app.*\n", "", moved.read_text().removeprefix(told)) == ""
        assert exchange(address, http_request(target="/version?after")).body == b"2"
        wait_until(lambda: "/version?after" in log.read_text(), "a line of the new worker")
        (new,) = re.findall(r"pid (\d+) has taken over from", log.read_text())
        os.kill(int(new), signal.SIGTERM)
        wait_gone([int(new)], 20.0)
