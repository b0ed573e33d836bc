"""Well-formed uwsgi requests: bodies, pings, the end of the connection, HTTP beside it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from tests.uwsgi_packet import PING, PONG, packet, request_variables, uwsgi_request
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from tests.address import Address
    from tests.server import Server

APP = "plain:application"


def test_get(address: Address) -> None:
    with Connection(address) as connection:
        connection.send(uwsgi_request(target="/hello"))
        response = connection.read_response()
        assert (response.version, response.status, response.reason) == ("1.1", 200, "OK")
        assert response.body == b"hello"
        connection.assert_closed()


def test_head(address: Address) -> None:
    with Connection(address) as connection:
        connection.send(uwsgi_request("HEAD", "/hello"))
        assert connection.read_response("HEAD").get("Content-Length") == "5"
        connection.assert_closed()


@pytest.mark.parametrize("size", [0, 1, 4096, 65_535, 65_536, 65_537, 300_000, 5_000_000])
def test_post(address: Address, size: int) -> None:
    body = b"".join(number.to_bytes(4, "big") for number in range(size // 4 + 1))[:size]
    response = exchange(address, uwsgi_request("POST", "/digest", body=body))
    assert response.body.decode() == f"{size} {hashlib.sha256(body).hexdigest()}"


def test_a_streamed_answer_is_not_chunked(address: Address) -> None:
    """nginx and Apache would pass chunk sizes on as content."""
    with Connection(address) as connection:
        connection.send(uwsgi_request(target="/download?blocks=40"))
        response = connection.read_head()
        assert response.all("Transfer-Encoding") == []
        assert response.get("Content-Length") is None
        assert len(connection.read_to_end()) == 40 * 65536


def test_the_packet_may_come_byte_by_byte(address: Address) -> None:
    with Connection(address) as connection:
        for byte in uwsgi_request("POST", "/echo", body=b"slowly"):
            connection.send(bytes([byte]))
        assert connection.read_response().body == b"slowly"


def test_the_largest_packet(address: Address) -> None:
    variables = request_variables(target="/hello")
    used = len(packet(variables)) - 4
    filler = (b"FILLER", b"x" * (65_535 - used - 4 - len(b"FILLER")))
    assert len(packet([*variables, filler])) == 65_539
    assert exchange(address, packet([*variables, filler])).body == b"hello"


def test_many_variables(address: Address) -> None:
    variables = [*request_variables(target="/hello"), *((b"V%d" % number, b"x") for number in range(900))]
    assert exchange(address, packet(variables)).body == b"hello"


def test_a_half_closed_client_is_served(address: Address) -> None:
    with Connection(address) as connection:
        connection.send(uwsgi_request("POST", "/echo", body=b"all of it"))
        connection.half_close()
        assert connection.read_response().body == b"all of it"


def test_an_unread_body_does_not_eat_the_answer(address: Address) -> None:
    with Connection(address) as connection:
        connection.send(uwsgi_request("POST", "/unread", body=b"x" * 2_000_000))
        assert connection.read_response().status == 401


def test_ping(address: Address) -> None:
    with Connection(address) as connection:
        connection.send(PING)
        assert connection.read_exactly(4) == PONG
        connection.assert_closed()


def test_http_on_the_same_listener(address: Address) -> None:
    for _ in range(3):
        assert exchange(address, uwsgi_request(target="/target?uwsgi")).body == b"uwsgi"
        assert exchange(address, http_request(target="/target?http")).body == b"http"


def test_the_protocol_is_decided_once_a_connection(server: Server) -> None:
    """A uwsgi packet after an HTTP request is a malformed HTTP request."""
    with Connection(server.address) as connection:
        connection.send(http_request())
        assert connection.read_response().body == b"hello"
        connection.send(uwsgi_request(target="/hello") + b"\r\n\r\n")
        assert connection.read_response().status == 400
        connection.assert_closed()


def test_bytes_after_the_request_are_dropped(address: Address) -> None:
    with Connection(address) as connection:
        connection.send(uwsgi_request(target="/target?one") + uwsgi_request(target="/target?two"))
        assert connection.read_response().body == b"one"
        connection.assert_closed()
