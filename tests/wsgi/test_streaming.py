"""Each item leaves before the next one is made (PEP 3333 "Buffering and Streaming")."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.transport import Transport

if TYPE_CHECKING:
    from tests.server import Server

APP = "iterables:application"


@pytest.fixture(scope="module")
def threads() -> str:
    """One thread iterates, another one answers questions about it."""
    return "4"


@pytest.mark.parametrize("route", ["/stepped", "/stepped-write"])
def test_chunk_by_chunk(http: Transport, route: str) -> None:
    """The application makes the next event only after the test has seen the one before."""
    name = route.strip("/")
    with http.connect() as connection:
        connection.send(http.bytes_of(f"{route}?id={name}"))
        assert connection.read_head().chunked
        for number in range(3):
            assert connection.read_chunk() == b"data: %d\n\n" % number
            if number < 2:
                connection.assert_silent(0.05)
            http.request(f"/release?id={name}")
        assert connection.read_chunk() == b""


@pytest.mark.parametrize("name", ["uwsgi-tcp", "uwsgi-unix"])
def test_over_uwsgi_too(server: Server, http: Transport, name: str) -> None:
    transport = Transport.of(server, name)
    with transport.connect() as connection:
        connection.send(transport.bytes_of(f"/stepped?id={name}"))
        assert not connection.read_head().chunked
        for number in range(3):
            event = b"data: %d\n\n" % number
            assert connection.read_exactly(len(event)) == event
            http.request(f"/release?id={name}")
        connection.assert_closed()
