"""Servers with an operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from tests.control.operator import Operator
from tests.process.conftest import gates, project
from tests.server import APPS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.conftest import Serve

__all__ = ["gates", "project"]


class Operate(Protocol):
    """Starts a server and gives its operator."""

    def __call__(self, *arguments: str, cwd: Path = ..., env: Mapping[str, str] | None = ...) -> Operator: ...


@pytest.fixture
def operate(serve: Serve, tmp_path: Path) -> Operate:
    """A function that starts a server with a control socket of its own."""

    def start(*arguments: str, cwd: Path = APPS, env: Mapping[str, str] | None = None) -> Operator:
        path = tmp_path / "control.sock"
        server = serve(*arguments, "--control-socket", str(path), cwd=cwd, env=env)
        return Operator(server, path)

    return start
