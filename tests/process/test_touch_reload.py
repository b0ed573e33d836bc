"""--touch-reload: a file whose change is the order to reload."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from tests.load import Load
from tests.process.test_reload import version, wait_for_version
from tests.server import wait_gone

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Serve
    from tests.process.conftest import Project


def touch(file: Path) -> None:
    file.touch()


def write(file: Path) -> None:
    file.write_text("deployed\n")


def replace(file: Path) -> None:
    new = file.with_name("new")
    new.write_text("")
    new.rename(file)


@pytest.mark.parametrize("change", [touch, write, replace])
@pytest.mark.parametrize("exists", [True, False], ids=["there", "not yet there"])
def test_a_change_reloads(
    serve: Serve, project: Project, change: Callable[[Path], None], exists: bool
) -> None:
    file = project.directory / "deploys" / "reload now"
    file.parent.mkdir()
    if exists:
        file.touch()
        os.utime(file, (1, 1))
    # Paths are read from the directory of the start.
    server = serve("versioned:app", "--touch-reload", "deploys/reload now", cwd=project.directory)
    old = server.worker_pids()
    project.write("2")
    mark = server.log.mark()
    change(file)
    server.log.wait_for(rf"{re.escape(str(file))} was touched", mark)
    server.log.wait_for("reloaded in", mark)
    wait_gone(old, 20.0)
    assert version(server) == "2"
    assert len(server.log.find("was touched", mark)) <= 2, "a file is told of once for each change"


def test_many_touches_are_folded_in_and_lose_nothing(serve: Serve, project: Project, tmp_path: Path) -> None:
    files = [tmp_path / "one", tmp_path / "two"]
    options = [word for file in files for word in ("--touch-reload", str(file))]
    server = serve("versioned:app", "--workers", "2", *options, cwd=project.directory)
    with Load(server.address, connections=4) as load:
        project.write("2")
        mark = server.log.mark()
        for _ in range(50):
            for file in files:
                file.touch()
        server.log.wait_for("reloaded in", mark)
        wait_for_version(server, "2")
        load.wait_for(50)
    assert load.tally.failures == []


def test_a_removed_file_reloads_nothing(serve: Serve, project: Project, tmp_path: Path) -> None:
    file = tmp_path / "reload"
    file.touch()
    server = serve("versioned:app", "--touch-reload", str(file), cwd=project.directory)
    mark = server.log.mark()
    file.unlink()
    file.touch()
    server.log.wait_for("reloaded in", mark)
    assert len(server.log.find("was touched", mark)) == 1


def test_nothing_wakes_the_supervisor_while_nothing_changes(
    serve: Serve, project: Project, tmp_path: Path
) -> None:
    server = serve("versioned:app", "--touch-reload", str(tmp_path / "reload"), cwd=project.directory)
    assert server.log.find("every second") == []
    descriptors = [os.readlink(f"/proc/{server.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{server.pid}/fd")]
    assert "anon_inode:inotify" in descriptors
    [worker] = server.worker_pids()
    inherited = [os.readlink(f"/proc/{worker}/fd/{fd}") for fd in os.listdir(f"/proc/{worker}/fd")]
    assert "anon_inode:inotify" not in inherited


def test_a_directory_that_comes_later_is_waited_for(serve: Serve, project: Project, tmp_path: Path) -> None:
    file = tmp_path / "later" / "reload"
    server = serve("versioned:app", "--touch-reload", str(file), cwd=project.directory)
    assert len(server.log.find("--touch-reload looks at its files every second")) == 1
    project.write("2")
    file.parent.mkdir()
    file.touch()
    wait_for_version(server, "2")
    assert len(server.log.find("--touch-reload looks at its files every second")) == 1
