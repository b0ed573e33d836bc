"""A new server that fails harms nobody: the old one goes on, says why, and can be upgraded later."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.control.operator import Operator
from tests.load import Load
from tests.upgrade.conftest import HELD
from tests.upgrade.generations import version

if TYPE_CHECKING:
    from pathlib import Path

    from tests.process.conftest import Gates, Project
    from tests.upgrade.conftest import Start

BROKEN = {
    "import-raises": "raise RuntimeError('planned')\n",
    "exits": "import sys\nsys.exit('planned')\n",
    "hard-exit": "import os\nos._exit(3)\n",
    "crashes": "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_application(start: Start, project: Project, tmp_path: Path, text: str) -> None:
    path = tmp_path / "app.sock"
    server = start("--workers", "2", "--bind", "127.0.0.1:0", "--bind", f"unix:{path}")
    server.server.allow("SystemExit")
    workers = server.workers()
    with Load(server.server.address, connections=2) as load:
        project.replace(text)
        server.fail("exited with code 3")
        load.wait_for(20)
        assert server.workers() == workers
        assert version(server.server.unix) == "1", "the file of the socket is untouched"
        project.write("2")
        server.upgrade()
        load.wait_for(20)
    assert load.tally.failures == []
    assert version(server.server.unix) == "2"


def test_a_wrong_option(start: Start, project: Project) -> None:
    configuration = project.directory / "tapster.toml"
    configuration.write_text('bind = ["127.0.0.1:0"]\n')
    server = start()
    mark = server.log.mark()
    configuration.write_text('bind = ["127.0.0.1:0"]\nworkerz = 2\n')
    server.fail("exited with code 2")
    server.log.wait_for("tapster: error: .*workerz", mark)
    configuration.write_text('bind = ["127.0.0.1:0"]\nworkers = 2\n')
    server.upgrade()
    assert version(server.server.address) == "1"


def test_an_address_in_use(start: Start, project: Project) -> None:
    configuration = project.directory / "tapster.toml"
    configuration.write_text('bind = ["127.0.0.1:0"]\n')
    server, other = start(), start()
    mark = server.log.mark()
    configuration.write_text(f'bind = ["127.0.0.1:0", "{other.server.address}"]\n')
    server.fail("exited with code 1")
    server.log.wait_for("already in use by", mark)
    assert version(server.server.address) == "1"


def test_an_application_that_takes_too_long(start: Start, project: Project, gates: Gates) -> None:
    """The new server's own time-out holds."""
    configuration = project.directory / "tapster.toml"
    configuration.write_text('bind = ["127.0.0.1:0"]\n')
    server = start()
    configuration.write_text('bind = ["127.0.0.1:0"]\nboot-timeout = "1s"\n')
    project.write("2", before=HELD)
    server.fail("")
    gates.open("import")
    configuration.write_text('bind = ["127.0.0.1:0"]\n')
    server.upgrade()
    assert version(server.server.address) == "2"


def test_a_new_server_that_hangs(start: Start, project: Project) -> None:
    """Stopped before it can say anything: the old server's own time-out ends it."""
    server = start("--boot-timeout", "5s", PYTHONPATH=str(project.directory))
    (project.directory / "sitecustomize.py").write_text(
        "import os, signal\nif 'TAPSTER_PREDECESSOR' in os.environ:\n    os.kill(os.getpid(), signal.SIGSTOP)\n"
    )
    mark = server.log.mark()
    server.fail(r"took longer than 5\.0 s")
    pid = int(server.log.wait_for(r"upgrading: pid (\d+) starts", mark).group(1))
    os.kill(pid, signal.SIGCONT)
    server.log.wait_for(f"pid {pid} was killed by SIGTERM", mark)
    assert version(server.server.address) == "1"


def test_a_directory_that_takes_its_time(start: Start, tmp_path: Path) -> None:
    """As on a file system of a host that is gone: the supervisor does not wait for it."""
    control = tmp_path / "control"
    server = start("--control-socket", str(control))
    mark = server.log.mark()
    slow = ("-e", "trace=chdir", "-e", "inject=chdir:delay_enter=600000000", "-o", str(tmp_path / "calls"))
    tracer = subprocess.Popen(["strace", "-f", *slow, "-p", str(server.pid)], stderr=subprocess.PIPE)
    with tracer:
        assert tracer.stderr is not None
        assert b"attached" in tracer.stderr.readline()
        server.send(signal.SIGUSR2)
        server.log.wait_for(r"upgrading: pid \d+ starts", mark)
        assert Operator(server.server, control).status()["state"] == "serving"
        assert version(server.server.address) == "1"
        tracer.kill()
    server.follow(mark)


def test_a_new_server_that_is_killed(start: Start, project: Project, gates: Gates) -> None:
    server = start()
    project.write("2", before=HELD)
    mark = server.log.mark()
    server.send(signal.SIGUSR2)
    gates.wait_inside("import")
    pid = int(server.log.wait_for(r"upgrading: pid (\d+) starts", mark).group(1))
    os.kill(pid, signal.SIGKILL)
    server.log.wait_for(f"the upgrade failed: pid {pid} was killed by SIGKILL", mark)
    assert version(server.server.address) == "1"


def test_an_old_server_that_is_killed(start: Start, project: Project, gates: Gates) -> None:
    """Nobody is there to say that it may, so the new server takes over by itself."""
    server = start()
    project.write("2", before=HELD)
    mark = server.log.mark()
    server.send(signal.SIGUSR2)
    gates.wait_inside("import")
    server.send(signal.SIGKILL)
    server.log.wait_for("this server takes over when it is ready", mark)
    gates.open("import")
    server.pid = int(server.log.wait_for(r"pid (\d+) has taken over from pid", mark).group(1))
    assert version(server.server.address) == "2"
    server.upgrade()
