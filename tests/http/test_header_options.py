"""`--server-header` and `--header-map`: what answers say of the server, and header names that could pass for others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.uwsgi_packet import uwsgi_request
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve

REFUSED = b"GET / HTTP/1.1\r\n\r\n"
UNDERSCORED = http_request(fields={"X-Real-Ip": "192.0.2.1", "X_Real_Ip": "6.6.6.6"})


@pytest.mark.parametrize(
    ("words", "expected"),
    [((), "tapster"), (("--server-header", "on"), "tapster"), (("--server-header", "off"), None)],
    ids=["default", "on", "off"],
)
def test_server_header(serve: Serve, words: tuple[str, ...], expected: str | None) -> None:
    """In an answer of the application's, in a 500 and in a refusal; without a version."""
    server = serve("answers:application", *words)
    for request in (http_request(target="/one"), http_request(target="/raise"), REFUSED):
        response = exchange(server.address, request)
        assert response.get("Server") == expected
        assert response.get("Date") is not None
    own = exchange(server.address, http_request(target="/field?name=Server&value=mine"))
    assert own.get("Server") == "mine"


def test_server_header_in_the_file(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("def app(_, start):\n    start('200 OK', [])\n    return []\n")
    (tmp_path / "tapster.toml").write_text("server-header = false\n")
    server = serve("app:app", cwd=tmp_path)
    assert exchange(server.address, http_request()).get("Server") is None


@pytest.mark.parametrize("words", [(), ("--header-map", "drop")], ids=["default", "drop"])
def test_underscores_are_dropped(serve: Serve, words: tuple[str, ...]) -> None:
    server = serve("witness:application", *words)
    saw = json.loads(exchange(server.address, UNDERSCORED).body)
    assert saw["HTTP_X_REAL_IP"] == "192.0.2.1"


def test_underscores_are_refused(serve: Serve) -> None:
    server = serve("witness:application", "--header-map", "refuse")
    mark = server.log.mark()
    with Connection(server.address) as connection:
        connection.send(UNDERSCORED + http_request(target="/hidden"))
        response = connection.read_response()
        assert (response.status, response.closes) == (400, True)
        connection.assert_closed()
    server.log.wait_for("refused with 400: .*underscore", mark)
    assert len(server.log.lines(mark)) == 1
    assert json.loads(exchange(server.address, http_request(target="/witness")).body) == []
    hyphened = http_request(fields={"X-Real-Ip": "192.0.2.1"})
    assert json.loads(exchange(server.address, hyphened).body)["HTTP_X_REAL_IP"] == "192.0.2.1"


def test_variables_of_uwsgi_are_no_headers(serve: Serve) -> None:
    server = serve("witness:application", "--header-map", "refuse")
    response = exchange(server.address, uwsgi_request(fields={"X-Real-Ip": "192.0.2.1"}))
    assert json.loads(response.body)["HTTP_X_REAL_IP"] == "192.0.2.1"
