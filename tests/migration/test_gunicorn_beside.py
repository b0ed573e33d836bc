"""gunicorn beside Tapster: the same command, the same requests, the same answers."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.address import Address
from tests.log import Log
from tests.migration.test_gunicorn_corpus import APP, SERVED, fields
from tests.server import environment
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: What gunicorn can run, and what of it is asked daily.
#: With reuse_port gunicorn does not say which port it was given.
NOT_COMPARED = {"greenlets with threads", "a name that is nearly one", "what needs nothing"}
COMPARED = [name for name in SERVED if name not in NOT_COMPARED]
DAILY = {"a command line without flags", "a file", "everybody is trusted", "flags in the variable"}
NAMES = [pytest.param(name, marks=[] if name in DAILY else [pytest.mark.long], id=name) for name in COMPARED]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


@pytest.fixture
def running() -> Iterator[list[subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            # How gunicorn ends is its own matter; its workers follow.
            process.kill()
            process.wait()


@pytest.mark.parametrize("name", NAMES)
def test_it_answers_as_gunicorn_does(
    project: Path, running: list[subprocess.Popen[bytes]], name: str
) -> None:
    assert importlib.util.find_spec("gunicorn"), "tests/requirements.txt names it"
    case = SERVED[name]
    if case.file:
        (project / "gunicorn.conf.py").write_text(case.file)
    line = case.line.split(" ") if case.line else []
    command = [sys.executable, "-m", "gunicorn", *line, "--bind", "127.0.0.1:0", "--no-control-socket"]
    process = subprocess.Popen(
        command,
        cwd=project,
        env=environment({"GUNICORN_CMD_ARGS": case.environment, "HOME": os.fspath(project)}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    running.append(process)
    assert process.stdout is not None
    log = Log(process.stdout)
    log.wait_for("Booting worker", timeout=40)
    port = re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", log.text(0))
    assert port, log.text(0)
    answer = exchange(Address("127.0.0.1", int(port[1])), http_request(fields=fields(name)))
    assert answer.body.decode() == case.answer
