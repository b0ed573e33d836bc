"""Applications that cannot be loaded: the reason once, growing pauses, and back as soon as they can."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

from tests.server import run, wait_gone
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from tests.conftest import Serve
    from tests.process.conftest import Project
    from tests.server import Server

FAILING = "def load():\n    raise RuntimeError('planned')\n\n\nload()\n"


def test_at_the_first_start_the_reason_is_told_once(project: Project) -> None:
    project.replace(FAILING)
    ended = run("versioned:app", "--workers", "4", "--bind", "127.0.0.1:0", cwd=project.directory)
    assert ended.returncode == 3
    assert (ended.stdout + ended.stderr).count("in load\n") == 1
    assert "the application cannot be served; stopping" in ended.stdout + ended.stderr


def test_later_the_traceback_is_told_once_and_each_attempt_in_a_line(serve: Serve, project: Project) -> None:
    server = serve("versioned:app", "--workers", "2", cwd=project.directory)
    project.replace(FAILING)
    kill(server)
    server.log.wait_for(r"trying again in 0\.80 s", timeout=20.0)
    assert len(server.log.find(r"in load$")) == 1
    assert len(server.log.find(r"planned.* \(as before\)")) >= 3
    project.write("2")
    wait_until_serving(server)
    # Another reason, or a new deploy, is another matter.
    project.replace(FAILING)
    mark = server.log.mark()
    server.send(signal.SIGHUP)
    server.log.wait_for("reload given up", mark)
    assert len(server.log.find(r"in load$", mark)) == 1


def test_an_import_that_hangs_ends_at_the_boot_timeout(serve: Serve, project: Project) -> None:
    server = serve("versioned:app", "--boot-timeout", "3s", cwd=project.directory)
    old = server.worker_pids()
    project.replace("import time\ntime.sleep(600)\n")
    server.send(signal.SIGHUP)
    server.log.wait_for(r"did not load the application within 3\.0 s: killed")
    server.log.wait_for("reload given up")
    assert server.worker_pids() == old
    wait_until_serving(server)


def test_each_exit_code_is_a_crash_like_any_other(serve: Serve) -> None:
    server = serve("steps:application", "--workers", "2")
    for code in (0, 1, 3, 4, 70, 255):
        mark = server.log.mark()
        with_exit(server, code)
        server.log.wait_for(rf"exited with code {code}\b", mark)
        assert server.process.poll() is None
    wait_until_serving(server)


def kill(server: Server) -> None:
    """Ends all workers at once, as an operator without patience does."""
    old = server.worker_pids()
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    wait_gone(old, 20.0)


def serves(server: Server) -> bool:
    try:
        return exchange(server.address, http_request(target="/version"), timeout=2.0).status < 500
    except (OSError, AssertionError):
        return False


def with_exit(server: Server, code: int) -> None:
    """A request whose application ends its process."""
    try:
        exchange(server.address, http_request(target=f"/hard-exit?code={code}"))
    except (OSError, AssertionError):
        return


def wait_until_serving(server: Server) -> None:
    deadline = time.monotonic() + 20.0
    while not serves(server):
        assert time.monotonic() < deadline, "nobody serves"
        time.sleep(0.05)
