"""Request bodies: chunked, announced, interrupted (RFC 9112 §6, §7)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from tests.wire import Connection, chunked, exchange, http_request

if TYPE_CHECKING:
    from tests.server import Server

CHUNKED = {"Transfer-Encoding": "chunked"}
WIKI = b"4\r\nWiki\r\n6\r\npedia \r\nE\r\nin \r\n\r\nchunks.\r\n0\r\n\r\n"


def post_chunked(server: Server, body: bytes) -> bytes:
    response = exchange(server.address, http_request("POST", "/echo", CHUNKED, body))
    assert response.status == 200
    return response.body


@pytest.mark.parametrize(
    ("body", "decoded"),
    [
        (b"0\r\n\r\n", b""),
        (WIKI, b"Wikipedia in \r\n\r\nchunks."),
        (b"5\r\nhello\r\n000\r\n\r\n", b"hello"),
        (b"00000005\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"A\r\n0123456789\r\na\r\nabcdefghij\r\n0\r\n\r\n", b"0123456789abcdefghij"),
        (b'5;name=value;other="quoted"\r\nhello\r\n0;last\r\n\r\n', b"hello"),
        (b"5\r\nhello\r\n0\r\nX-Trailer: one\r\nX-Other: two\r\n\r\n", b"hello"),
    ],
    ids=["empty", "wiki", "long-zero", "leading-zeros", "hex-cases", "extensions", "trailers"],
)
def test_chunked(server: Server, body: bytes, decoded: bytes) -> None:
    assert post_chunked(server, body) == decoded


def test_chunked_split_at_every_byte(server: Server) -> None:
    request = http_request("POST", "/echo", CHUNKED, WIKI)
    with Connection(server.address) as connection:
        for place in range(len(request) - len(WIKI), len(request)):
            connection.send(request[:place])
            connection.send(request[place:])
            assert connection.read_response().body == b"Wikipedia in \r\n\r\nchunks."


def test_chunked_byte_by_byte(client: Connection) -> None:
    for byte in http_request("POST", "/echo", CHUNKED, WIKI):
        client.send(bytes([byte]))
    assert client.read_response().body == b"Wikipedia in \r\n\r\nchunks."


def test_trailers_never_become_fields(server: Server) -> None:
    body = b"0\r\nX-Trailer: one\r\n\r\n"
    response = exchange(server.address, http_request("POST", "/echo", CHUNKED, body) + http_request())
    assert response.status == 200


@pytest.mark.parametrize("ending", ["half-close", "reset"])
def test_a_body_cut_anywhere_never_passes_for_whole(server: Server, ending: str) -> None:
    before = int(exchange(server.address, http_request(target="/calls")).body)
    sized, coded = (
        http_request("POST", "/calls", body=b"x" * 200),
        http_request("POST", "/calls", CHUNKED, WIKI),
    )
    for request in (sized, coded):
        for place in range(1, len(request)):
            with Connection(server.address) as connection:
                connection.send(request[:place])
                if ending == "reset":
                    connection.reset()
                    continue
                connection.half_close()
                rest = connection.read_to_end()
                assert rest == b"" or rest.startswith(b"HTTP/1.1 400 ")
    assert int(exchange(server.address, http_request(target="/calls")).body) == before + 1


def test_a_request_follows_a_chunked_one(client: Connection) -> None:
    client.send(http_request("POST", "/echo", CHUNKED, chunked(b"one", b"two")) + http_request())
    assert client.read_response().body == b"onetwo"
    assert client.read_response().body == b"hello"


@pytest.mark.parametrize("te", ["chunked", "Chunked", "CHUNKED"])
def test_the_coding_has_no_case(client: Connection, te: str) -> None:
    client.send(http_request("POST", "/echo", {"Transfer-Encoding": te}, chunked(b"x")))
    assert client.read_response().body == b"x"


@pytest.mark.parametrize("size", [20_000_000])
def test_a_large_upload_arrives_whole(client: Connection, size: int) -> None:
    body = b"".join(number.to_bytes(8, "big") for number in range(size // 8))
    client.send(http_request("POST", "/digest", body=body))
    assert client.read_response().body.decode() == f"{size} {hashlib.sha256(body).hexdigest()}"


def test_100_continue(client: Connection) -> None:
    head = http_request("POST", "/echo", {"Expect": "100-continue", "Content-Length": "5"})
    client.send(head)
    interim = client.read_head()
    assert (interim.status, interim.fields) == (100, [])
    client.send(b"hello")
    assert client.read_response().body == b"hello"


def test_100_continue_with_chunks(client: Connection) -> None:
    client.send(http_request("POST", "/echo", {"expect": "100-Continue", **CHUNKED}))
    assert client.read_head().status == 100
    client.send(chunked(b"hello"))
    assert client.read_response().body == b"hello"


def test_no_100_when_the_body_came_along(client: Connection) -> None:
    client.send(http_request("POST", "/echo", {"Expect": "100-continue"}, b"hello"))
    first = client.read_head()
    if first.status == 100:
        first = client.read_head()
    client.read_body(first)
    assert first.body == b"hello"


def test_no_100_to_http_1_0(client: Connection) -> None:
    """RFC 9110 §10.1.1."""
    client.send(
        http_request("POST", "/echo", {"Expect": "100-continue", "Content-Length": "5"}, version="1.0")
    )
    client.assert_silent(0.1)
    client.send(b"hello")
    assert client.read_response().body == b"hello"


def test_another_expectation_is_refused(client: Connection) -> None:
    client.send(http_request("POST", "/echo", {"Expect": "200-ok"}, b"x"))
    assert client.read_response().status == 417


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"Content-Length": "50"}, b"hello"),
        ({"Content-Length": "500000"}, b"h" * 400_000),
        (CHUNKED, b"5\r\nhello\r\n"),
        (CHUNKED, b"5\r\nhel"),
        (CHUNKED, b"5\r\nhello\r\n0\r\n"),
    ],
    ids=["length", "spooled-length", "no-last-chunk", "inside-chunk", "no-final-crlf"],
)
def test_an_interrupted_body_never_passes_for_whole(
    server: Server, fields: dict[str, str], part: bytes
) -> None:
    before = int(exchange(server.address, http_request(target="/calls")).body)
    with Connection(server.address) as connection:
        connection.send(http_request("POST", "/calls", fields) + part)
        connection.half_close()
        rest = connection.read_to_end()
    assert b" 200 " not in rest
    assert rest == b"" or rest.startswith(b"HTTP/1.1 400 ")
    after = int(exchange(server.address, http_request(target="/calls")).body)
    assert after == before + 1, "the application was called for the interrupted request"
