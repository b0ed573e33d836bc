"""The Dockerfile: without a complaint of hadolint's, and its command and health check run. No image is built here."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

from tests.deploy.proxies import DEPLOY, program
from tests.server import Server, run

if TYPE_CHECKING:
    from pathlib import Path

TEXT = (DEPLOY / "Dockerfile").read_text()

HELLO = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]
"""


def words(instruction: str) -> list[str]:
    """The command of an instruction in the form of a list."""
    (found,) = re.findall(rf"(?m)^{instruction}\b.*?(\[.*\])$", TEXT)
    return json.loads(found)


def test_hadolint_has_no_complaint() -> None:
    linted = subprocess.run([program("hadolint"), DEPLOY / "Dockerfile"], capture_output=True, text=True)
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_the_last_stage_is_not_roots() -> None:
    stage = TEXT.rpartition("\nFROM ")[2]
    (user,) = re.findall(r"(?m)^USER (\d+):\d+$", stage)
    assert int(user) > 0


def test_the_command_and_the_health_check(tmp_path: Path) -> None:
    """In a directory with an `app.py`, as the image has it."""
    (tmp_path / "app.py").write_text(HELLO)
    command, *arguments = words("CMD")
    check, *question = words("HEALTHCHECK")
    assert command == check == "tapster"
    free = [word.replace("0.0.0.0:8000", "127.0.0.1:0") for word in arguments]
    env = {"TMPDIR": str(tmp_path), "TAPSTER_CONTROL_SOCKET": str(tmp_path / "control")}
    with Server.start(*free, cwd=tmp_path, env=env) as server:
        healthy = run(*question, cwd=tmp_path, env=env)
        assert healthy.returncode == 0, healthy.stderr
        assert server.stop() == 0
    assert run(*question, cwd=tmp_path, env=env).returncode == 1
