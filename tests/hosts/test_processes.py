"""What the host is told of the server's processes, and what each may have: names, files; no life in the background."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.server import Server, run

if TYPE_CHECKING:
    from tests.conftest import Serve

APP = "steps:application"


def shown(pid: int, column: str) -> str:
    """What ps shows of a process."""
    found = subprocess.run(
        ["ps", "-ww", "-o", f"{column}=", "-p", str(pid)], capture_output=True, text=True, check=True
    )
    return found.stdout.strip()


def test_workers_have_names_and_the_supervisor_keeps_its_command_line(serve: Serve) -> None:
    server = serve(APP, "--workers", "2")
    workers = server.worker_pids()
    assert sorted(shown(pid, "comm") for pid in workers) == ["tapster-w1", "tapster-w2"]
    assert sorted(shown(pid, "args") for pid in workers) == ["tapster: worker 1", "tapster: worker 2"]
    assert shown(server.pid, "comm") == "tapster"
    assert "steps:application --workers 2" in shown(server.pid, "args")


def files(pid: int) -> tuple[str, str]:
    """Soft and hard limit."""
    limits = Path(f"/proc/{pid}/limits").read_text()
    found = re.search(r"Max open files +(\d+) +(\d+)", limits)
    assert found
    return found[1], found[2]


def test_the_limit_on_open_files(serve: Serve) -> None:
    server = serve(APP, "--limit-nofile", "200")
    soft, hard = files(server.worker_pids()[0])
    assert soft == "200"
    assert int(hard) >= 200


def test_more_files_than_are_granted_refuse_the_start() -> None:
    lacking = ["prlimit", "--nofile=100:100", "setpriv", "--inh-caps", "-all", "--bounding-set", "-all"]
    with Server(APP, "--limit-nofile", "200", wrapper=lacking) as server:
        assert server.wait() == 1
        server.log.wait_for("--limit-nofile 200 is not granted.*LimitNOFILE")


@pytest.mark.parametrize("flag", ["--daemon", "--daemonize", "-D"])
def test_a_life_in_the_background_is_refused(flag: str) -> None:
    refused = run(APP, flag)
    assert refused.returncode == 2
    assert "stays in the foreground" in refused.stderr
    assert "systemd" in refused.stderr
    assert "nohup" in refused.stderr
