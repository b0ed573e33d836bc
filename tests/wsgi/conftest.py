"""Servers on a TCP address and a unix socket at once, one a module, and the four ways to reach each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from tests import transport as transports
from tests.server import Server
from tests.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module", params=["1", "4"], ids=["alone", "pool"])
def threads(request: pytest.FixtureRequest) -> str:
    """With one thread the main thread serves, with more a pool does."""
    return str(request.param)


@pytest.fixture(scope="module")
def server(
    request: pytest.FixtureRequest, threads: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Serves the application that the test module names as APP, with its OPTIONS."""
    module = cast("Any", request).module
    app: str = module.APP
    options: tuple[str, ...] = getattr(module, "OPTIONS", ())
    path = tmp_path_factory.mktemp("run") / "s"
    with Server.start(
        app, *options, "--threads", threads, "--bind", "127.0.0.1:0", "--bind", f"unix:{path}"
    ) as started:
        yield started


@pytest.fixture(params=transports.NAMES)
def transport(request: pytest.FixtureRequest, server: Server) -> Transport:
    """Each of the four."""
    return Transport.of(server, request.param)


@pytest.fixture
def http(server: Server) -> Transport:
    """HTTP over TCP, for what only HTTP has."""
    return Transport.of(server, "http-tcp")
