"""Gates that hold a request inside the application, and applications that a test may rewrite."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Serve
    from tests.server import Server


class Gates:
    """The directory that apps/steps.py watches."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def env(self) -> dict[str, str]:
        """What tells the application of it."""
        return {"GATES": str(self.directory)}

    def wait_inside(self, name: str, timeout: float = 20.0) -> int:
        """Waits until a request is inside the application; the worker's pid."""
        deadline = time.monotonic() + timeout
        path = self.directory / f"{name}.waiting"
        while not (path.exists() and path.read_text()):
            assert time.monotonic() < deadline, f"no request reached the gate {name}"
            time.sleep(0.005)
        return int(path.read_text())

    def wait_for_inside(self, count: int, timeout: float = 20.0) -> list[int]:
        """Waits until so many gates hold a request; the pids of their workers."""
        deadline = time.monotonic() + timeout
        while (
            len(
                pids := [int(text) for path in self.directory.glob("*.waiting") if (text := path.read_text())]
            )
            < count
        ):
            assert time.monotonic() < deadline, f"{len(pids)} requests reached their gates, not {count}"
            time.sleep(0.005)
        return pids

    def open(self, name: str) -> None:
        """Lets the request go on."""
        (self.directory / f"{name}.open").touch()


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    """Gates of one test."""
    directory = tmp_path / "gates"
    directory.mkdir()
    return Gates(directory)


class Project:
    """A directory with an application whose code the test changes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def write(self, version: str, before: str = "") -> None:
        """An application that answers with its version; `before` runs at import."""
        steps = Path(__file__).resolve().parent.parent / "apps"
        text = (
            f"import sys\nsys.path.insert(0, {str(steps)!r})\n{before}\nimport steps\n\n\n"
            "def app(environ, start_response):\n"
            "    if environ['PATH_INFO'] == '/version':\n"
            f"        return steps.answer(start_response, {version!r}.encode())\n"
            "    return steps.application(environ, start_response)\n"
        )
        self.replace(text)

    def replace(self, text: str) -> None:
        """Any text at all; the change is seen whole or not at all."""
        self.directory.mkdir(exist_ok=True)
        new = self.directory / "versioned.new"
        new.write_text(text)
        new.rename(self.directory / "versioned.py")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project of one test, at version 1."""
    made = Project(tmp_path / "project")
    made.write("1")
    return made


@pytest.fixture
def steps(serve: Serve, gates: Gates) -> Server:
    """A server of apps/steps.py with one worker of four threads."""
    return serve("steps:application", env=gates.env)
