"""One server a module for the tests of the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.process.conftest import gates
from tests.server import Server
from tests.wire import Connection

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["gates"]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Serves apps/plain.py."""
    with Server.start("plain:application", "--threads", "4") as started:
        yield started


@pytest.fixture
def client(server: Server) -> Iterator[Connection]:
    """A connection to it."""
    with Connection(server.address) as connection:
        yield connection
