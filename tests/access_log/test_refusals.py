"""What the server refuses has a line of the access log too, and an id where requests have ids."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.access_log.asking import APP, ask, lines_of
from tests.server import Server
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

NO_HOST = b"GET /secret HTTP/1.1\r\n\r\n"
LONG_LINE = b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"
MANY_BYTES = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 200_000 + b"\r\n\r\n"
TOO_LARGE = http_request("POST", "/up?a=1", {"Content-Length": "99999"})


@pytest.mark.parametrize(
    ("request_", "status", "target"),
    [(NO_HOST, 400, None), (LONG_LINE, 414, None), (MANY_BYTES, 431, None), (TOO_LARGE, 413, "/up?a=1")],
)
def test_a_refused_request_has_a_line_and_an_id(
    tmp_path: Path, request_: bytes, status: int, target: str | None
) -> None:
    path = tmp_path / "access.log"
    words = [
        "--access-log",
        str(path),
        "--access-log-format",
        "json",
        "--request-id",
        "on",
        "--max-body",
        "1k",
    ]
    with Server.start(APP, *words) as server:
        response = exchange(server.address, request_)
        assert response.status == status
        told = json.loads(lines_of(path, 1)[0])
        assert (told["status"], told["client"], told["target"]) == (status, "127.0.0.1", target)
        assert told["bytes"] == len(response.body)
        assert told["application"] is None
        named = response.get("x-request-id")
        assert named is not None
        assert named == told["request_id"]
        server.log.wait_for(rf"refused with {status}: .*\(request {named}\)")
        # The line of the next is its own.
        ask(server.address, "/")
        assert json.loads(lines_of(path, 2)[1])["status"] == 200


@pytest.mark.parametrize(("words", "count"), [(["--access-log-status", "4xx"], 1), ([], 0)])
def test_a_refusal_has_a_line_for_who_asks_for_its_status(
    tmp_path: Path, words: list[str], count: int
) -> None:
    path = tmp_path / "access.log"
    narrowed = words or ["--access-log-status", "5xx"]
    with Server.start(APP, "--access-logfile", str(path), *narrowed) as server:
        assert exchange(server.address, NO_HOST).status == 400
        assert server.stop() == 0
    assert path.read_text().count(' "-" 400 ') == count


def test_a_user_is_that_of_basic_credentials(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    with Server.start(APP, "--access-log", str(path), "--access-log-format", "%(u)s %(s)s") as server:
        ask(server.address, "/", fields={"Authorization": "Basic YW5uOnNlY3JldA=="})
        assert lines_of(path, 1) == ["ann 200"]
