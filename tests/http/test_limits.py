"""Bounds on what one client may send: 413, 414, 431, and the answer is never lost to a reset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server import Server
from tests.wire import Connection, chunked, exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator

OPTIONS = {
    "--limit-request-line": "1KiB",
    "--limit-request-head": "4KiB",
    "--limit-request-fields": "10",
    "--max-body": "100KiB",
}


@pytest.fixture(scope="module")
def small() -> Iterator[Server]:
    """A server with small limits."""
    words = [word for pair in OPTIONS.items() for word in pair]
    with Server.start("plain:application", *words) as started:
        yield started


def assert_refused(server: Server, request: bytes, status: int, reason: str) -> None:
    mark = server.log.mark()
    with Connection(server.address) as connection:
        connection.send(request)
        response = connection.read_response()
        assert response.status == status
        assert response.closes
    server.log.wait_for(reason, mark)
    assert exchange(server.address, http_request()).body == b"hello"


def test_request_line(small: Server) -> None:
    fits = "/target?" + "a" * 900
    assert exchange(small.address, http_request(target=fits)).status == 200
    assert_refused(small, http_request(target="/target?" + "a" * 1100), 414, "request line")


def test_an_endless_request_line_is_refused_early(small: Server) -> None:
    with Connection(small.address) as connection:
        connection.send(b"GET /" + b"a" * 20_000)
        assert connection.read_response().status == 414


def test_head(small: Server) -> None:
    assert exchange(small.address, http_request(fields={"X-A": "a" * 3800})).status == 200
    assert_refused(small, http_request(fields={"X-A": "a" * 4200}), 431, "head")


def test_an_endless_head_is_refused_early(small: Server) -> None:
    with Connection(small.address) as connection:
        connection.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 50_000)
        assert connection.read_response().status == 431


def test_fields(small: Server) -> None:
    fits = {"Host": "a", **{f"X-{number}": "1" for number in range(9)}}
    assert exchange(small.address, http_request(fields=fits)).status == 200
    assert_refused(small, http_request(fields={**fits, "X-More": "1"}), 431, "fields")


def test_body(small: Server) -> None:
    assert len(exchange(small.address, http_request("POST", "/echo", body=b"x" * 102_400)).body) == 102_400
    assert_refused(small, http_request("POST", "/echo", body=b"x" * 102_401), 413, "max-body")


def test_chunked_body(small: Server) -> None:
    def request(*parts: bytes) -> bytes:
        return http_request("POST", "/echo", {"Transfer-Encoding": "chunked"}, chunked(*parts))

    assert len(exchange(small.address, request(b"x" * 51_200, b"y" * 51_200)).body) == 102_400
    assert_refused(small, request(b"x" * 51_200, b"y" * 51_201), 413, "max-body")


def test_a_large_refused_body_does_not_eat_the_answer(small: Server) -> None:
    """The client is still sending when the answer comes: a reset would destroy it."""
    with Connection(small.address) as connection:
        connection.send(http_request("POST", "/echo", {"Content-Length": "900000"}))
        connection.send(b"x" * 900_000)
        assert connection.read_response().status == 413


def test_413_comes_before_100_continue(small: Server) -> None:
    with Connection(small.address) as connection:
        connection.send(http_request("POST", "/echo", {"Expect": "100-continue", "Content-Length": "200000"}))
        assert connection.read_response().status == 413


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (http_request(target="/target?" + "a" * 8100), 200),
        (http_request(target="/target?" + "a" * 8300), 414),
        (http_request(fields={"X-A": "a" * 64_000}), 200),
        (http_request(fields={"X-A": "a" * 66_000}), 431),
        (http_request(fields={f"X-{number}": "1" for number in range(99)}), 200),
        (http_request(fields={f"X-{number}": "1" for number in range(100)}), 431),
        (http_request("POST", "/echo", {"Content-Length": str((1 << 30) + 1)}), 413),
    ],
    ids=["line-fits", "line", "head-fits", "head", "fields-fit", "fields", "body"],
)
def test_defaults(server: Server, request_: bytes, status: int) -> None:
    assert exchange(server.address, request_).status == status
