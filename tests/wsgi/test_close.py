"""`close()` runs exactly once, however the response ended (PEP 3333 "Specification Details")."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from tests.wire import Truncated

if TYPE_CHECKING:
    from tests.server import Server
    from tests.transport import Transport

APP = "iterables:application"


@pytest.fixture(scope="module")
def threads() -> str:
    """One thread iterates, another one answers questions about it."""
    return "4"


_names = (f"name{number}" for number in itertools.count())


@pytest.fixture
def name() -> str:
    """A name for an iterable that no other test uses."""
    return next(_names)


def assert_closed_once(http: Transport, name: str) -> None:
    assert http.request(f"/closed?id={name}").body == b"1"


def test_after_a_whole_body(transport: Transport, http: Transport, name: str) -> None:
    assert transport.request(f"/items?id={name}").body == b"aaaaabbbbbccccc"
    assert_closed_once(http, name)


def test_of_a_list(transport: Transport, http: Transport, name: str) -> None:
    assert transport.request(f"/list?id={name}").body == b"listed"
    assert_closed_once(http, name)


def test_after_head(transport: Transport, http: Transport, name: str) -> None:
    assert transport.request(f"/items?id={name}", "HEAD").status == 200
    assert_closed_once(http, name)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_after_a_status_without_a_body(http: Transport, name: str, status: str) -> None:
    assert http.request(f"/items?id={name}&status={status.replace(' ', '+')}").body == b""
    assert_closed_once(http, name)


def test_after_an_error_at_the_first_item(transport: Transport, http: Transport, name: str) -> None:
    assert transport.request(f"/items?id={name}&fail=0").status == 500
    assert_closed_once(http, name)


def test_after_an_error_midway(http: Transport, name: str) -> None:
    with pytest.raises(Truncated):
        http.request(f"/items?id={name}&fail=1")
    assert_closed_once(http, name)


def test_when_start_response_was_never_called(http: Transport, server: Server, name: str) -> None:
    server.allow("start_response")
    assert http.request(f"/unstarted?id={name}").status == 500
    assert_closed_once(http, name)


def test_when_the_client_leaves(transport: Transport, http: Transport, name: str) -> None:
    with transport.connect() as connection:
        connection.send(transport.bytes_of(f"/endless?id={name}"))
        connection.read_head()
        connection.reset()
    assert_closed_once(http, name)


def test_when_the_client_left_before_the_first_item(http: Transport, server: Server, name: str) -> None:
    with http.connect() as connection:
        connection.send(http.bytes_of(f"/endless?id={name}"))
        connection.reset()
    with http.connect() as connection:
        connection.send(http.bytes_of("/ping"))
        assert connection.read_response().body == b"pong"
    # Either the application ran and its iterable was closed, or it was never called.
    with http.connect() as connection:
        connection.send(http.bytes_of(f"/endless?id={name}"))
        connection.read_head()
        connection.reset()
    assert http.request(f"/closed?id={name}").body in (b"1", b"2")


def test_when_the_client_leaves_a_slow_stream(http: Transport, name: str) -> None:
    """The application notices at its next item at the latest."""
    with http.connect() as connection:
        connection.send(http.bytes_of(f"/stepped?id={name}&count=1000"))
        head = connection.read_head()
        assert head.chunked
        assert connection.read_chunk() == b"data: 0\n\n"
        connection.reset()
    for _ in range(3):
        http.request(f"/release?id={name}")
    assert_closed_once(http, name)


def test_an_error_in_close_is_logged_and_the_response_stands(
    http: Transport, server: Server, name: str
) -> None:
    mark = server.log.mark()
    response = http.request(f"/items?id={name}&raise-in-close")
    assert response.body == b"aaaaabbbbbccccc"
    server.log.wait_for("PlannedError: planned, in close", mark)
    assert_closed_once(http, name)


def test_a_client_that_left_is_no_error_in_the_log(http: Transport, server: Server, name: str) -> None:
    mark = server.log.mark()
    with http.connect() as connection:
        connection.send(http.bytes_of(f"/endless?id={name}"))
        connection.read_head()
        connection.reset()
    assert_closed_once(http, name)
    assert server.log.lines(mark) == []
