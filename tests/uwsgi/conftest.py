"""One server a module: a TCP address and a unix socket, two threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.address import Address


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serves the application that the test module names as APP."""
    path = tmp_path_factory.mktemp("run") / "s"
    app: str = cast("Any", request).module.APP
    with Server.start(app, "--threads", "2", "--bind", "127.0.0.1:0", "--bind", f"unix:{path}") as started:
        yield started


@pytest.fixture(params=["tcp", "unix"])
def address(request: pytest.FixtureRequest, server: Server) -> Address:
    """Each of the two."""
    return server.unix if request.param == "unix" else server.address
