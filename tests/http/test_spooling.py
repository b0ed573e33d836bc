"""Bodies too large for memory go to a file that nobody else sees and that never stays (`--body-memory`, `--temp-dir`)."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve

BODY = os.urandom(3_000_000)
DIGEST = f"{len(BODY)} {hashlib.sha256(BODY).hexdigest()}".encode()


@pytest.mark.parametrize("memory", ["0", "1", "64KiB", "10MiB"])
def test_the_threshold(serve: Serve, tmp_path: Path, memory: str) -> None:
    server = serve("plain:application", "--body-memory", memory, "--temp-dir", str(tmp_path))
    for body in (b"", b"x", BODY):
        assert exchange(server.address, http_request("POST", "/echo", body=body)).body == body
    assert os.listdir(tmp_path) == []


def test_no_file_is_seen_even_while_the_body_comes(serve: Serve, tmp_path: Path) -> None:
    server = serve("plain:application", "--temp-dir", str(tmp_path))
    request = http_request("POST", "/digest", body=BODY)
    with Connection(server.address) as connection:
        connection.send(request[:2_000_000])
        assert exchange(server.address, http_request()).body == b"hello"
        assert os.listdir(tmp_path) == []
        connection.send(request[2_000_000:])
        assert connection.read_response().body == DIGEST


def test_a_directory_that_is_not_there_is_said(serve: Serve, tmp_path: Path) -> None:
    """At the start or at the first large body: 503 and a line with the option's name; small ones are served."""
    server = serve("plain:application", "--temp-dir", str(tmp_path / "missing"))
    mark = server.log.mark()
    with Connection(server.address) as connection:
        connection.send(
            http_request("POST", "/digest", {"Content-Length": str(len(BODY))}) + BODY[:1_000_000]
        )
        assert connection.read_response().status == 503
    server.log.wait_for("temp-dir", mark)
    assert exchange(server.address, http_request("POST", "/echo", body=b"small")).body == b"small"
