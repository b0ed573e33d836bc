"""Fixtures: a project whose code, configuration and release the test changes, and a server of it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.process.conftest import Gates, Project, gates, project
from tests.server import Server
from tests.upgrade.generations import Generations

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Gates", "Project", "gates", "project"]

#: In front of an application: it is not loaded before the test opens the gate `import`.
HELD = """
import os, pathlib, time
_gates = pathlib.Path(os.environ["GATES"])
(_gates / "import.waiting").write_text(str(os.getpid()))
while not (_gates / "import.open").exists():
    time.sleep(0.01)
"""


class Start(Protocol):
    """Starts a server of the project; where it listens is for the configuration file to say, if there is one."""

    def __call__(self, *arguments: str, **env: str) -> Generations: ...


@pytest.fixture
def start(project: Project, gates: Gates) -> Iterator[Start]:
    """A function that starts a server of the project, with gates."""
    with ExitStack() as stack:

        def run(*arguments: str, **env: str) -> Generations:
            directory = project.directory
            environment = {**gates.env, "PWD": str(directory), **env}
            if (directory / "tapster.toml").exists():
                server = Server("versioned:app", *arguments, cwd=directory, env=environment)
            else:
                server = Server.start("versioned:app", *arguments, cwd=directory, env=environment)
            stack.enter_context(server)
            if not server.addresses:
                server.wait_ready()
            return Generations(server)

        yield run
