"""Malformed and ambiguous requests are refused: the right status, a closed connection, one log line that says why, and
nothing after them is run. Odd but right ones are served as they are meant. The bytes are in refused.py and accepted.py.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.http import accepted, refused
from tests.server import Server
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.http.accepted import Accepted
    from tests.http.refused import Refused

CANARY = http_request(target="/canary")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Serves an application that remembers what it saw."""
    with Server.start("witness:application", "--threads", "4") as started:
        yield started


def seen(server: Server) -> list[dict[str, str]]:
    """Every request that the application was called for."""
    return json.loads(exchange(server.address, http_request(target="/witness")).body)


def at_once(connection: Connection, data: bytes) -> None:
    connection.send(data)


def byte_by_byte(connection: Connection, data: bytes) -> None:
    """The start byte by byte, as far as parsers count; long runs in larger pieces."""
    with suppress(ConnectionError):
        for place in range(min(len(data), 400)):
            connection.send(data[place : place + 1])
        for place in range(400, len(data), 997):
            connection.send(data[place : place + 997])


@pytest.mark.parametrize("send", [at_once, byte_by_byte])
@pytest.mark.parametrize("case", refused.CASES, ids=[case.name for case in refused.CASES])
def test_refused(server: Server, case: Refused, send: Callable[[Connection, bytes], None]) -> None:
    before, mark = len(seen(server)), server.log.mark()
    with Connection(server.address) as connection:
        send(connection, case.request + CANARY)
        response = connection.read_response()
        assert response.status == case.status
        assert response.closes
        connection.assert_closed()
    found = server.log.wait_for(rf"^.*\[warning\].*({case.reason}).*$", mark)
    assert "127.0.0.1" in found[0], "the line names the peer"
    assert f" {case.status}" in found[0], "the line says what was answered"
    assert seen(server)[before:] == []
    assert len(server.log.lines(mark)) == 1, server.log.text(mark)


@pytest.mark.parametrize("send", [at_once, byte_by_byte])
@pytest.mark.parametrize("case", accepted.CASES, ids=[case.name for case in accepted.CASES])
def test_accepted(server: Server, case: Accepted, send: Callable[[Connection, bytes], None]) -> None:
    before, mark = len(seen(server)), server.log.mark()
    with Connection(server.address) as connection:
        send(connection, case.request)
        response = connection.read_response()
        assert response.status == 200
        assert response.closes is case.closes
        saw = json.loads(response.body)
        if case.closes:
            connection.assert_closed()
        else:
            connection.send(CANARY)
            assert json.loads(connection.read_response().body)["PATH_INFO"] == "/canary"
    assert {name: saw.get(name) for name in case.saw} == case.saw
    assert [request["PATH_INFO"] for request in seen(server)[before:]] == (
        [saw["PATH_INFO"]] if case.closes else [saw["PATH_INFO"], "/canary"]
    )
    assert server.log.lines(mark) == []


@pytest.mark.parametrize("case", refused.CASES, ids=[case.name for case in refused.CASES])
def test_what_came_before_a_refused_request_is_answered(server: Server, case: Refused) -> None:
    """And what comes behind it never runs."""
    before = len(seen(server))
    with Connection(server.address) as connection:
        connection.send(CANARY + case.request + CANARY)
        assert json.loads(connection.read_response().body)["PATH_INFO"] == "/canary"
        assert connection.read_response().status == case.status
        connection.assert_closed()
    assert [request["PATH_INFO"] for request in seen(server)[before:]] == ["/canary"]


@pytest.mark.parametrize("length", [1, 14, 20, 30])
def test_a_head_that_ends_early_is_logged(server: Server, length: int) -> None:
    """A clean close, but not a silent one."""
    mark = server.log.mark()
    with Connection(server.address) as connection:
        client = f"127.0.0.1:{connection.socket.getsockname()[1]}"
        connection.send(CANARY[:length])
        connection.half_close()
        rest = connection.read_to_end()
    assert rest == b"" or rest.startswith(b"HTTP/1.1 400 ")
    server.log.wait_for(client, mark)
    # Lines about the clients of before may still come.
    assert sum(f"{client}:" in line for line in server.log.lines(mark)) == 1


def test_a_tls_hello_is_named(server: Server) -> None:
    """What a browser sends to https:// on a plain port."""
    mark = server.log.mark()
    hello = bytes.fromhex("16030100f8010000f40303") + bytes(32) + bytes.fromhex("20") + bytes(100)
    with Connection(server.address) as connection:
        connection.send(hello)
        connection.read_to_end()
    server.log.wait_for("TLS", mark)
    assert len(server.log.lines(mark)) == 1
