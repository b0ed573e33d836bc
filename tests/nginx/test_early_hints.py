"""An application that sends early hints, behind nginx: the client gets its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server import Server
from tests.wire import Connection, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.nginx.front import Nginx


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serves apps/hints.py."""
    path: Path = tmp_path_factory.mktemp("run") / "s"
    with Server.start("hints:application", "--bind", "127.0.0.1:0", "--bind", f"unix:{path}") as started:
        yield started


@pytest.mark.parametrize("path", ["/", "/after-start", "/lazily"])
def test_the_answer_arrives(nginx: Nginx, path: str) -> None:
    """nginx before 1.29 takes a hint for the answer and waits for its body: it must get none."""
    with Connection(nginx.address) as connection:
        for _ in range(3):
            connection.send(http_request(target=path))
            response = connection.read_response()
            assert (response.status, response.body) == (200, b"hinted")
