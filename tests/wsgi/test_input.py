"""`wsgi.input` behaves as io.BytesIO over the same bytes, however the body came (PEP 3333 "Input and Error Streams")."""

from __future__ import annotations

import hashlib
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.apps.input_script import run
from tests.wire import chunked, exchange, http_request

if TYPE_CHECKING:
    from tests.transport import Transport
    from tests.wire import Response

APP = "input_script:application"

LINES = b"first line\nsecond\r\n\nlast \xe9 without end"
BODIES = {
    "lines": LINES,
    "empty": b"",
    "newlines": b"\n\n\n",
    "one": b"x",
    "long-line": b"y" * 70_000 + b"\n" + b"z" * 10,
}
SCRIPTS: list[list[list[Any]]] = [
    [["read", []], ["read", []]],
    [["read", [-1]], ["read", [-1]]],
    [["read", [None]], ["read", [None]]],
    [["read", [0]], ["read", [3]], ["read", [4]], ["read", []]],
    [["read", [1_000_000]], ["read", [1]]],
    [["readline", []], ["readline", []], ["read", []]],
    [["readline", []]] * 6,
    [["readline", [-1]], ["readline", [None]], ["readline", [0]], ["readline", [3]], ["readline", [100]]],
    [["readlines", []], ["readlines", []]],
    [["readlines", [-1]]],
    [["readlines", [None]]],
    [["readlines", [0]]],
    [["readlines", [1]], ["readlines", []]],
    [["readlines", [12]], ["read", []]],
    [["list", []], ["list", []]],
    [["next", []], ["read", [2]], ["next", []], ["readlines", []]],
    [["read", [5]], ["readline", []], ["list", []]],
]


def ask(transport: Transport, script: list[list[Any]], body: bytes) -> Any:
    return results(transport.request("/", "POST", {"X-Script": json.dumps(script)}, body))


def ask_chunked(transport: Transport, script: list[list[Any]], *parts: bytes) -> Any:
    fields = {"X-Script": json.dumps(script), "Transfer-Encoding": "chunked"}
    return results(exchange(transport.address, http_request("POST", "/", fields, chunked(*parts))))


def results(response: Response) -> Any:
    assert response.status == 200, response
    return json.loads(response.body)["results"]


def expected(script: list[list[Any]], body: bytes) -> Any:
    stream = io.BytesIO(body)
    return [run(stream, name, arguments) for name, arguments in script]


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("script", SCRIPTS, ids=str)
def test_as_bytesio(transport: Transport, script: list[list[Any]], body: bytes) -> None:
    assert ask(transport, script, body) == expected(script, body)


@pytest.mark.parametrize("script", SCRIPTS, ids=str)
def test_as_bytesio_when_chunked(http: Transport, script: list[list[Any]]) -> None:
    parts = [LINES[:3], LINES[3:12], LINES[12:13], LINES[13:]]
    assert ask_chunked(http, script, *parts) == expected(script, LINES)


@pytest.mark.parametrize("size", [256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 3_000_000])
def test_a_large_body_arrives_whole(transport: Transport, size: int) -> None:
    body = pattern(size)
    assert ask(transport, [["digest", []], ["read", []]], body) == [
        [size, hashlib.sha256(body).hexdigest()],
        "",
    ]


@pytest.mark.parametrize("size", [256 * 1024 + 1, 3_000_000])
def test_a_large_chunked_body_arrives_whole(http: Transport, size: int) -> None:
    body = pattern(size)
    parts = [body[start : start + 9973] for start in range(0, size, 9973)]
    assert ask_chunked(http, [["digest", []]], *parts) == [[size, hashlib.sha256(body).hexdigest()]]


def test_lines_of_a_spooled_body(transport: Transport) -> None:
    """Beyond 256 KiB the body is in a file: the same methods, the same answers."""
    body = b"".join(b"line %d\n" % number for number in range(60_000))
    script: list[list[Any]] = [
        ["readline", []],
        ["readline", [3]],
        ["read", [10]],
        ["readlines", [50]],
        ["next", []],
        ["read", [0]],
        ["digest", []],
        ["readline", []],
        ["readlines", []],
    ]
    assert ask(transport, script, body) == expected(script, body)


def test_without_a_body_reading_gives_nothing(transport: Transport) -> None:
    script: list[list[Any]] = [
        ["read", []],
        ["read", [10]],
        ["readline", []],
        ["readlines", []],
        ["list", []],
    ]
    response = transport.request("/", "GET", {"X-Script": json.dumps(script)})
    assert results(response) == expected(script, b"")


def test_the_next_request_is_not_read(http: Transport) -> None:
    """The body ends where Content-Length says, whatever follows on the connection."""
    script = json.dumps([["read", []]])
    with http.connect() as connection:
        connection.send(http.bytes_of("/", "POST", {"X-Script": script}, b"first"))
        connection.send(http.bytes_of("/", "POST", {"X-Script": script}, b"second"))
        assert results(connection.read_response()) == ["first"]
        assert results(connection.read_response()) == ["second"]


def pattern(size: int) -> bytes:
    """Bytes in which a lost or doubled block shows."""
    block = b"".join(number.to_bytes(4, "big") for number in range(size // 4 + 1))
    return block[:size]
