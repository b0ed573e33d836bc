"""The four ways from nginx to Tapster: uwsgi or HTTP, unix socket or TCP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.nginx.front import Nginx

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server import Server

ROUTES = {
    "uwsgi-unix": "uwsgi.conf",
    "uwsgi-tcp": "uwsgi.conf",
    "proxy-tcp": "proxy.conf",
    "proxy-unix": "proxy.conf",
}


@pytest.fixture(scope="module", params=ROUTES)
def route(request: pytest.FixtureRequest) -> str:
    """The name of the way."""
    return str(request.param)


@pytest.fixture(scope="module")
def nginx(route: str, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """nginx in front of the module's server, which listens on TCP and on a unix socket."""
    upstream = server.unix if route.endswith("unix") else server.address
    with Nginx(ROUTES[route], upstream, tmp_path_factory.mktemp("nginx") / "prefix") as started:
        yield started
