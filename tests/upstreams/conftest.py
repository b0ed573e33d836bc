"""Fronts, which are stopped after the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.process.conftest import gates, project
from tests.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["gates", "project"]


@pytest.fixture
def front() -> Iterator[Callable[..., Server]]:
    """Starts a front with these upstreams and options."""
    started: list[Server] = []

    def start(upstreams: list[str], *options: str) -> Server:
        urls = [word for url in upstreams for word in ("--upstream", url)]
        server = Server.start("front", *urls, *options)
        started.append(server)
        return server

    yield start
    for server in started:
        server.close()
