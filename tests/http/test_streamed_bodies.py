"""Request bodies that the application reads while they arrive (`--stream-body`): at once, whole or not at all, bounded."""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING

import pytest

from tests import descriptors
from tests.server import Server
from tests.uwsgi_packet import uwsgi_request
from tests.wire import Connection, chunked, exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Serve

APP = "streamed:application"
CHUNKED = {"Transfer-Encoding": "chunked"}
MAX_BODY = 1_000_000


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    options = ("--stream-body", "--max-body", str(MAX_BODY), "--io-timeout", "3s", "--threads", "4")
    with Server.start(APP, *options) as started:
        yield started


def length(count: int) -> dict[str, str]:
    return {"Content-Length": str(count)}


def test_lines_come_back_before_the_rest_is_sent(client: Connection) -> None:
    client.send(http_request("POST", "/lines", length(15)))
    head = None
    for line in (b"one\n", b"two\n"):
        client.send(line)
        head = head or client.read_head()
        assert client.read_chunk() == line
    client.send(b"the end")
    assert (client.read_chunk(), client.read_chunk()) == (b"the end", b"")
    client.send(http_request())
    assert client.read_response().body == b"hello"


def test_chunks_come_back_before_the_rest_is_sent(client: Connection) -> None:
    client.send(http_request("POST", "/lines", CHUNKED))
    head = None
    for line in (b"one\n", b"two\n"):
        client.send(b"4\r\n" + line + b"\r\n")
        head = head or client.read_head()
        assert client.read_chunk() == line
    client.send(b"0\r\n\r\n")
    assert client.read_chunk() == b""
    client.send(http_request())
    assert client.read_response().body == b"hello"


def test_the_same_over_uwsgi(server: Server) -> None:
    body = b"one\ntwo\n"
    with Connection(server.address) as connection:
        connection.send(uwsgi_request("POST", "/lines", None, body)[: -len(body)])
        connection.send(body[:4])
        connection.read_head()
        assert connection.read_exactly(4) == body[:4]
        connection.send(body[4:])
        assert connection.read_to_end() == body[4:]


def test_what_the_environ_says(server: Server) -> None:
    with Connection(server.address) as connection:
        connection.send(http_request("POST", "/facts", length(500_000)))
        assert connection.read_response().body == b"500000 True"
    assert (
        exchange(server.address, http_request("POST", "/facts", CHUNKED, chunked(b"x"))).body == b"none True"
    )


def test_with_buffering_a_chunked_body_has_a_length(serve: Serve) -> None:
    server = serve(APP)
    body = chunked(b"one", b"two")
    assert exchange(server.address, http_request("POST", "/facts", CHUNKED, body)).body == b"6 True"


def test_100_continue_is_sent_when_the_application_reads(client: Connection) -> None:
    for fields, body in ((length(5), b"hello"), (CHUNKED, chunked(b"hello"))):
        client.send(http_request("POST", "/whole", {"Expect": "100-continue", **fields}))
        assert client.read_head().status == 100
        client.send(body)
        assert client.read_response().body == b"hello"


def test_no_100_when_the_application_does_not_read(client: Connection) -> None:
    """The client may or may not send the body now: the connection ends."""
    client.send(http_request("POST", "/facts", {"Expect": "100-continue", **length(5)}))
    response = client.read_response()
    assert (response.status, response.closes) == (200, True)
    client.assert_closed()


def test_a_body_over_the_bound_is_413_before_any_100(client: Connection) -> None:
    client.send(http_request("POST", "/whole", {"Expect": "100-continue", **length(MAX_BODY + 1)}))
    assert client.read_response().status == 413
    client.assert_closed()


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        (length(50), b"hello"),
        (length(50), b""),
        (length(500_000), b"h" * 400_000),
        (CHUNKED, b"5\r\nhello\r\n"),
        (CHUNKED, b"5\r\nhel"),
        (CHUNKED, b"5\r\nhello\r\n0\r\n"),
    ],
    ids=["length", "nothing", "long-length", "no-last-chunk", "inside-chunk", "no-final-crlf"],
)
def test_a_body_that_ends_early_raises(server: Server, fields: dict[str, str], part: bytes) -> None:
    """The application that does not look gets 400 sent for it; none takes it for whole."""
    for target, status in (("/caught", 200), ("/whole", 400), ("/lines", None)):
        mark = server.log.mark()
        with Connection(server.address) as connection:
            connection.send(http_request("POST", target, fields) + part)
            connection.half_close()
            if status is None:
                assert b"0\r\n\r\n" not in connection.read_to_end()
                continue
            response = connection.read_response()
            assert (response.status, response.closes) == (status, True)
            if status == 200:
                assert response.body.startswith(b"ConnectionResetError: the client closed in the middle")
            connection.assert_closed()
        server.log.wait_for("the client closed in the middle of a request body", mark)


def test_a_thousand_early_ends_and_none_is_whole(server: Server) -> None:
    pids = server.worker_pids()
    before = descriptors.count(pids)
    request = http_request("POST", "/whole", CHUNKED, chunked(b"hello", b"world"))
    body = request.index(b"\r\n\r\n") + 4
    for number in range(1000):
        with Connection(server.address) as connection:
            connection.send(request[: body + number % (len(request) - body)])
            connection.half_close()
            assert b" 200 " not in connection.read_to_end()
    descriptors.eventually(lambda: abs(descriptors.count(pids) - before) <= 2)


@pytest.mark.parametrize(
    "body", [b"ZZ\r\n", b"5\r\nhelloXX0\r\n\r\n", b"3\r\nabc\r\n-1\r\n", b"0\r\nbad trailer\r\n\r\n"]
)
def test_a_malformed_body_raises(server: Server, body: bytes) -> None:
    for target, status in (("/caught", 200), ("/whole", 400)):
        response = exchange(server.address, http_request("POST", target, CHUNKED, body))
        assert (response.status, response.closes) == (status, True)
        assert status == 400 or response.body.startswith(b"OSError: ")


def test_chunks_over_the_bound_raise(server: Server) -> None:
    body = chunked(*[b"x" * 50_000] * 21)
    for target, status in (("/caught", 200), ("/whole", 413)):
        response = exchange(server.address, http_request("POST", target, CHUNKED, body))
        assert (response.status, response.closes) == (status, True)
        assert b"--max-body" in response.body


def test_a_silent_client_raises(server: Server) -> None:
    for target, status in (("/caught", 200), ("/whole", 408)):
        with Connection(server.address) as connection:
            connection.send(http_request("POST", target, length(50)) + b"hello")
            start = time.monotonic()
            response = connection.read_response()
            assert (response.status, response.closes) == (status, True)
            assert status == 408 or response.body.startswith(b"TimeoutError: ")
            assert 2.9 <= time.monotonic() - start < 10.0


def test_a_slow_client_raises(serve: Serve) -> None:
    """Also one that is never silent."""
    options = ("--min-rate", "100", "--min-rate-after", "2s")
    server = serve(APP, "--stream-body", "--io-timeout", "5s", *options)
    with Connection(server.address) as connection:
        connection.send(http_request("POST", "/caught", length(1000)))
        start = time.monotonic()
        while not select.select([connection.socket], [], [], 0.05)[0]:
            connection.send(b"x")
            assert time.monotonic() - start < 20.0
        assert connection.read_response().body.startswith(b"TimeoutError: ")
    with Connection(server.address) as connection:
        connection.send(http_request("POST", "/whole", length(1000)))
        for _ in range(10):
            connection.send(b"x" * 100)
            time.sleep(0.3)
        assert connection.read_response().body == b"x" * 1000


def test_a_client_that_resets_raises(server: Server) -> None:
    mark = server.log.mark()
    connection = Connection(server.address)
    # What came before a reset and was not read by then, the request too, is lost with it.
    connection.send(http_request("POST", "/whole", {"Expect": "100-continue", **length(50)}))
    assert connection.read_head().status == 100
    connection.send(b"hello")
    connection.reset()
    server.log.wait_for("the client closed in the middle of a request body", mark)


@pytest.mark.parametrize("fields", [length(100_000), CHUNKED], ids=["length", "chunked"])
def test_a_short_rest_is_dropped(client: Connection, fields: dict[str, str]) -> None:
    """Also when it comes after the answer, and in pieces."""
    data = b"x" * 100_000
    body = chunked(data) if fields is CHUNKED else data
    for place in (5, 10, 50_000, len(body)):
        client.send(http_request("POST", "/some?count=0", fields) + body[:place])
        response = client.read_response()
        assert (response.body, response.closes) == (b"", False)
        client.send(body[place:])
        client.send(http_request())
        assert client.read_response().body == b"hello"


def test_a_short_rest_may_have_requests_behind_it(client: Connection) -> None:
    request = http_request("POST", "/some?count=3", None, b"abcdef" * 1000)
    client.send((request + http_request()) * 20)
    for _ in range(20):
        assert client.read_response().body == b"abc"
        assert client.read_response().body == b"hello"


def test_a_long_rest_ends_the_connection(server: Server) -> None:
    """The answer arrives all the same."""
    with Connection(server.address) as connection:
        connection.send(http_request("POST", "/some?count=3", length(900_000)) + b"x" * 600_000)
        response = connection.read_response()
        assert (response.body, response.closes) == (b"xxx", True)
        connection.send(b"x" * 300_000)
        connection.assert_closed()


def test_an_endless_rest_ends_the_connection(server: Server) -> None:
    with Connection(server.address) as connection:
        connection.send(http_request("POST", "/some?count=3", CHUNKED) + b"3\r\nabc\r\n")
        assert connection.read_response().body == b"abc"
        connection.send(b"10000\r\n" + b"x" * 0x10000 + b"\r\n" + b"40000\r\n" + b"x" * 0x3FFFF)
        connection.send(b"x\r\n0\r\n\r\n" + http_request())
        connection.assert_closed()


def test_a_thread_left_behind_reads_no_other_request(server: Server) -> None:
    with Connection(server.address) as connection:
        connection.send(http_request("POST", "/left-behind", length(10)) + b"12345")
        assert connection.read_response().body == b"left"
        # Nothing comes any more that would wake it, and what came now would be its own until the answer's end is noted.
        descriptors.eventually(
            lambda: (
                exchange(server.address, http_request(target="/raised")).body in (b"OSError", b"ValueError")
            )
        )
        connection.send(b"67890")
        for _ in range(10):
            connection.send(http_request())
            assert connection.read_response().body == b"hello"
