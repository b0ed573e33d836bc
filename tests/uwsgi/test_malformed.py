"""Malformed packets: a 4xx answer or a clean close, one log line that says why, and the server goes on."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.uwsgi_packet import packet, request_variables, uwsgi_request
from tests.wire import Connection, exchange

if TYPE_CHECKING:
    from tests.server import Server

APP = "plain:application"


@dataclass(frozen=True)
class Case:
    """Bytes on the wire, the status they get, and a word of the reason in the log."""

    name: str
    request: bytes
    reason: str
    status: int = 400


def block(data: bytes, modifier1: int = 0) -> bytes:
    """A packet whose block of variables is these bytes."""
    return struct.pack("<BHB", modifier1, len(data), 0) + data


def request(without: str = "", **overrides: str) -> bytes:
    variables = request_variables("POST", "/echo", None, None, **overrides)
    return packet([pair for pair in variables if pair[0] != without.encode()])


MANY = [*request_variables(), *((b"V%d" % number, b"") for number in range(5000))]
CASES = [
    Case("empty", block(b""), "REQUEST_METHOD"),
    Case("name-overruns", block(b"\xff\xffNAME"), "beyond"),
    Case("value-overruns", block(b"\x04\x00NAME\xff\xffv"), "beyond"),
    Case("no-value", block(b"\x04\x00NAME"), "beyond"),
    Case("half-length", block(b"\x04\x00NAME\x01"), "beyond"),
    Case("one-byte", block(b"\x04"), "beyond"),
    Case("empty-name", block(b"\x00\x00\x01\x00x"), "empty name"),
    Case("too-many", packet(MANY), "more variables", 431),
    Case("no-method", request("REQUEST_METHOD"), "REQUEST_METHOD"),
    Case("empty-method", request(REQUEST_METHOD=""), "REQUEST_METHOD"),
    Case("bad-method", request(REQUEST_METHOD="GE T"), "REQUEST_METHOD"),
    Case("method-injection", request(REQUEST_METHOD="GET\r\nX: 1"), "REQUEST_METHOD"),
    Case("path-nul", request(PATH_INFO="/a\0b"), "NUL"),
    Case("length-words", request(CONTENT_LENGTH="abc"), "CONTENT_LENGTH"),
    Case("length-mixed", request(CONTENT_LENGTH="12abc"), "CONTENT_LENGTH"),
    Case("length-negative", request(CONTENT_LENGTH="-1"), "CONTENT_LENGTH"),
    Case("length-plus", request(CONTENT_LENGTH="+1"), "CONTENT_LENGTH"),
    Case("length-huge", request(CONTENT_LENGTH="99999999999999999999999"), "CONTENT_LENGTH"),
    Case("length-limit", request(CONTENT_LENGTH="1099511627776"), "max-body", 413),
    Case(
        "only-fields", packet([(b"SERVER_PROTOCOL", b"HTTP/1.1"), (b"HTTP_X_BLAH", b"1")]), "REQUEST_METHOD"
    ),
]
# Modifiers that make uWSGI run code, reload, or keep things: none is served here.
OTHER_MODIFIERS = [1, 5, 9, 14, 15, 17, 18, 22, 23, 31, 97, 98, 99, 101, 110, 111, 173, 200, 224, 250, 255]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_refused(server: Server, case: Case) -> None:
    mark = server.log.mark()
    with Connection(server.address) as connection:
        connection.send(case.request)
        assert connection.read_response().status == case.status
        connection.assert_closed()
    server.log.wait_for(case.reason, mark)
    assert len(server.log.lines(mark)) == 1, server.log.text(mark)
    assert exchange(server.address, uwsgi_request(target="/hello")).body == b"hello"


@pytest.mark.parametrize("modifier", OTHER_MODIFIERS)
def test_other_modifiers_are_refused(server: Server, modifier: int) -> None:
    mark = server.log.mark()
    with Connection(server.address) as connection:
        # Some are letters, with which an HTTP request begins: that one ends with an empty line.
        connection.send(packet(request_variables(target="/hello"), modifier) + b"\r\n\r\n")
        assert connection.read_response().status == 400
        connection.assert_closed()
    server.log.wait_for("modifier|TLS|request line|method", mark)


@pytest.mark.parametrize("length", [1, 3, 4, 50])
def test_a_packet_that_ends_early_is_closed_cleanly(server: Server, length: int) -> None:
    before = calls(server)
    mark = server.log.mark()
    with Connection(server.address) as connection:
        connection.send(uwsgi_request(target="/calls")[:length])
        connection.half_close()
        rest = connection.read_to_end()
    assert rest == b"" or rest.startswith(b"HTTP/1.1 400 ")
    server.log.wait_for("127.0.0.1", mark)
    assert calls(server) == before + 1


def test_a_body_that_ends_early_never_passes_for_whole(server: Server) -> None:
    before = calls(server)
    with Connection(server.address) as connection:
        connection.send(uwsgi_request("POST", "/calls", body=b"x" * 100)[:-50])
        connection.half_close()
        rest = connection.read_to_end()
    assert b" 200 " not in rest
    assert calls(server) == before + 1


def test_every_length_of_a_cut_packet(server: Server) -> None:
    """No prefix of a request crashes or hangs the server."""
    whole = uwsgi_request("POST", "/echo", body=b"0123456789")
    for length in range(0, len(whole), 3):
        with Connection(server.address) as connection:
            connection.send(whole[:length])
            connection.half_close()
            assert b" 200 " not in connection.read_to_end()
    assert exchange(server.address, whole).body == b"0123456789"


def calls(server: Server) -> int:
    return int(exchange(server.address, uwsgi_request(target="/calls")).body)
