"""Persistence, pipelining, HTTP/1.0, half-closed and slow clients (RFC 9112 §9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.wire import Connection, Response, exchange, http_request

if TYPE_CHECKING:
    from tests.server import Server


def test_many_requests_on_one_connection(client: Connection) -> None:
    for number in range(100):
        client.send(http_request(target=f"/target?{number}"))
        response = client.read_response()
        assert response.body == str(number).encode()
        assert not response.closes


def test_close_is_honoured_and_said(client: Connection) -> None:
    client.send(http_request(fields={"Connection": "close"}))
    response = client.read_response()
    assert response.closes
    assert response.body == b"hello"
    client.assert_closed()


@pytest.mark.parametrize("value", ["Close", "keep-alive, close", "x, CLOSE ,y"])
def test_close_is_found_in_a_list(client: Connection, value: str) -> None:
    client.send(http_request(fields={"Connection": value}))
    assert client.read_response().closes
    client.assert_closed()


def test_http_1_0_closes(client: Connection) -> None:
    client.send(http_request(version="1.0"))
    response = client.read_response()
    assert response.body == b"hello"
    assert response.get("Connection") in (None, "close")
    client.assert_closed()


def test_http_1_0_keep_alive(client: Connection) -> None:
    for _ in range(2):
        client.send(http_request(version="1.0", fields={"Connection": "keep-alive"}))
        response = client.read_response()
        assert (response.get("Connection") or "").lower() == "keep-alive"
        assert response.body == b"hello"


def test_http_1_0_is_never_sent_chunks(client: Connection) -> None:
    client.send(http_request(version="1.0", target="/download?blocks=2", fields={"Connection": "keep-alive"}))
    response = client.read_response()
    assert not response.chunked
    assert len(response.body) == 2 * 65536


def test_http_1_0_chunked_request_is_refused(client: Connection) -> None:
    client.send(http_request("POST", "/echo", {"Transfer-Encoding": "chunked"}, b"0\r\n\r\n", version="1.0"))
    assert client.read_response().status == 400
    client.assert_closed()


@pytest.mark.parametrize("count", [2, 50])
def test_pipelined_requests_are_answered_in_order(client: Connection, count: int) -> None:
    client.send(b"".join(http_request(target=f"/target?{number}") for number in range(count)))
    assert [client.read_response().body for _ in range(count)] == [b"%d" % number for number in range(count)]


def test_pipelined_bodies(client: Connection) -> None:
    bodies = [b"", b"a", b"b" * 70_000, b"c" * 300_000, b"d"]
    client.send(b"".join(http_request("POST", "/echo", body=body) for body in bodies))
    assert [client.read_response().body for _ in bodies] == bodies


def test_a_pipelined_close_ends_it(client: Connection) -> None:
    client.send(http_request() + http_request(fields={"Connection": "close"}) + http_request())
    assert client.read_response().body == b"hello"
    assert client.read_response().closes
    client.assert_closed()


@pytest.mark.parametrize("blank", [b"\r\n", b"\r\n\r\n"])
def test_an_empty_line_before_a_request_is_forgiven(client: Connection, blank: bytes) -> None:
    """RFC 9112 §2.2: old clients send one after a POST."""
    client.send(http_request("POST", "/echo", body=b"x") + blank + http_request())
    assert client.read_response().body == b"x"
    assert client.read_response().body == b"hello"


def test_a_half_closed_client_is_served(client: Connection) -> None:
    client.send(http_request("POST", "/echo", body=b"all of it"))
    client.half_close()
    assert client.read_response().body == b"all of it"
    client.assert_closed()


def test_a_half_closed_client_gets_a_large_answer(client: Connection) -> None:
    client.send(http_request(target="/download?blocks=64"))
    client.half_close()
    assert len(client.read_response().body) == 64 * 65536
    client.assert_closed()


def test_a_half_closed_client_gets_every_pipelined_answer(client: Connection) -> None:
    client.send(b"".join(http_request(target=f"/target?{number}") for number in range(20)))
    client.half_close()
    assert [client.read_response().body for _ in range(20)] == [b"%d" % number for number in range(20)]
    client.assert_closed()


def test_a_head_may_come_byte_by_byte(client: Connection) -> None:
    for byte in http_request(target="/target?slow"):
        client.send(bytes([byte]))
    assert client.read_response().body == b"slow"


def test_a_request_may_be_split_anywhere(server: Server) -> None:
    request = http_request("POST", "/echo", body=b"0123456789")
    for place in range(1, len(request), 7):
        with Connection(server.address) as connection:
            connection.send(request[:place])
            connection.send(request[place:])
            assert connection.read_response().body == b"0123456789"


def test_an_unread_body_does_not_disturb_the_next_request(client: Connection) -> None:
    """Small: the application never read it. The answer arrives, and either the connection works or it is closed."""
    client.send(http_request("POST", "/unread", body=b"x" * 1000))
    response = client.read_response()
    assert response.status == 401
    if not response.closes:
        client.send(http_request())
        assert client.read_response().body == b"hello"


def test_a_large_unread_body_does_not_eat_the_answer(client: Connection) -> None:
    client.send(http_request("POST", "/unread", body=b"x" * 2_000_000))
    assert client.read_response().status == 401


def test_head_of_everything(server: Server) -> None:
    response: Response = exchange(server.address, http_request("HEAD", "/hello"), "HEAD")
    assert response.get("Content-Length") == "5"


def test_an_idle_connection_is_closed_without_a_word(server: Server) -> None:
    """A client that connects and leaves is no error."""
    mark = server.log.mark()
    with Connection(server.address) as connection:
        connection.half_close()
        connection.assert_closed()
    assert exchange(server.address, http_request()).body == b"hello"
    assert server.log.find(r"\[(warning|error)\]", mark) == []


def test_upgrade_is_ignored(client: Connection) -> None:
    """RFC 9110 §7.8: `curl --http2` sends this."""
    fields = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAAP__"}
    client.send(http_request(fields=fields))
    response = client.read_response()
    assert (response.status, response.body) == (200, b"hello")
