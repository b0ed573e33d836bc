"""What becomes of a request whose application breaks the rules or raises: 500 or a visible truncation, and a log line."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from tests.wire import Truncated

if TYPE_CHECKING:
    from tests.server import Server
    from tests.transport import Transport

APP = "answers:application"


@pytest.fixture(autouse=True)
def the_servers_own_complaints_are_meant(server: Server) -> None:
    """A breach of PEP 3333 may be raised inside the application, whose frames the traceback then shows."""
    server.allow(
        "AssertionError|TypeError|ValueError|RecursionError|SystemExit|KeyboardInterrupt|GeneratorExit"
        "|RuntimeError: start_response"
    )


@pytest.fixture(autouse=True)
def still_serves(http: Transport) -> object:
    """Whatever happened, the server answers the next request rightly."""
    yield
    assert http.request("/list").body == b"hello world"


def assert_refused(transport: Transport, target: str) -> None:
    response = transport.request(target)
    assert response.status == 500
    assert b"Traceback" not in response.body
    assert b"planned" not in response.body
    assert response.get("X-Injected") is None


@pytest.mark.parametrize("path", ["/raise", "/raise-after-start", "/raise-first-next"])
def test_an_exception_before_the_body_gives_500_and_a_traceback(
    transport: Transport, server: Server, path: str
) -> None:
    mark = server.log.mark()
    assert_refused(transport, path)
    server.log.wait_for(r"PlannedError: planned", mark)
    assert "answers.py" in server.log.text(mark), "the application's own frames"


@pytest.mark.parametrize("path", ["/system-exit", "/keyboard-interrupt", "/generator-exit", "/recursion"])
def test_no_exception_ends_the_server(transport: Transport, server: Server, path: str) -> None:
    before = server.worker_pids()
    assert_refused(transport, path)
    assert server.worker_pids() == before


def test_an_exception_midway_shows_as_truncation(http: Transport, server: Server) -> None:
    mark = server.log.mark()
    with pytest.raises(Truncated) as caught:
        http.request("/raise-midway")
    assert caught.value.body == b"partial"
    server.log.wait_for("PlannedError: planned, midway", mark)


def test_an_exception_midway_of_a_sized_body_shows_as_truncation(transport: Transport) -> None:
    with pytest.raises(Truncated) as caught:
        transport.request("/raise-midway?length=50")
    assert caught.value.body == b"partial"


def test_exc_info_after_the_head_is_raised_again(http: Transport, server: Server) -> None:
    mark = server.log.mark()
    with pytest.raises(Truncated) as caught:
        http.request("/exc-info-after")
    assert caught.value.body == b"first"
    server.log.wait_for("PlannedError: planned, after the head is sent", mark)


@pytest.mark.parametrize("path", ["/twice", "/never", "/never-empty", "/none"])
def test_start_response_once_and_an_iterable(transport: Transport, path: str) -> None:
    assert_refused(transport, path)


@pytest.mark.parametrize(
    "path", ["/text-item-list", "/text-item-generator", "/none-item", "/bytearray-item", "/memoryview-item"]
)
def test_items_must_be_bytes(transport: Transport, server: Server, path: str) -> None:
    mark = server.log.mark()
    assert_refused(transport, path)
    server.log.wait_for("not bytes: (encode it|PEP 3333 allows only bytes)", mark)


def test_a_later_item_that_is_no_bytes_shows_as_truncation(http: Transport) -> None:
    with pytest.raises(Truncated) as caught:
        http.request("/text-item-second")
    assert caught.value.body == b"first"


@pytest.mark.parametrize(
    ("path", "advice"),
    [
        ("/bytes", r'\[b"|\[b\'|\[body\]|list'),
        ("/text", r'\[b"|\[b\'|list|encode'),
        ("/iter-list", "__iter__|iterator"),
    ],
)
def test_first_mistakes_are_explained(http: Transport, server: Server, path: str, advice: str) -> None:
    mark = server.log.mark()
    assert_refused(http, path)
    server.log.wait_for(advice, mark)


@pytest.mark.parametrize(
    "status",
    [
        "1000 Foo",
        "20 OK",
        "abc",
        "",
        "200OK",
        "099 Low",
        "600 High",
        "200 OK\r\nX-Injected: 1",
        "200 OK\nX: 1",
        "200 \0",
        "100 Continue",
        "101 Switching Protocols",
        "103 Early Hints",
        "-20 OK",
        " 200 OK",
        "200\tOK",
        "\u0662\u0660\u0660 OK",
        "200 \x7f",
    ],
)
def test_a_malformed_status_is_refused(transport: Transport, status: str) -> None:
    assert_refused(transport, "/status?" + urlencode({"status": status}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A", "a\r\nX-Injected: 1"),
        ("X-A", "a\nX-Injected: 1"),
        ("X-A", "a\rX-Injected: 1"),
        ("X-A", "nul \0"),
        ("X-A", "not latin-1: \u2603"),
        ("X-A\r\nX-Injected: 1\r\nX-B", "a"),
        ("X A", "a"),
        ("X-A:", "a"),
        ("", "a"),
        ("X-\u00e9", "a"),
        ("Connection", "close"),
        ("connection", "keep-alive"),
        ("Keep-Alive", "timeout=5"),
        ("Transfer-Encoding", "chunked"),
        ("TE", "trailers"),
        ("Upgrade", "h2c"),
        ("Proxy-Authenticate", "Basic"),
        ("Content-Length", "-1"),
        ("Content-Length", "4, 4"),
        ("Content-Length", "+4"),
        ("Content-Length", "99999999999999999999999"),
    ],
)
def test_a_field_that_is_malformed_or_the_servers_own_is_refused(
    transport: Transport, name: str, value: str
) -> None:
    assert_refused(transport, "/field?" + urlencode({"name": name, "value": value}))


@pytest.mark.parametrize("path", ["/two-lengths", "/status-bytes", "/field-number"])
def test_wrong_types_and_two_lengths_are_refused(transport: Transport, path: str) -> None:
    assert_refused(transport, path)


def test_a_body_shorter_than_its_length_ends_the_connection(transport: Transport, server: Server) -> None:
    mark = server.log.mark()
    with pytest.raises(Truncated) as caught:
        transport.request("/short")
    assert caught.value.body == b"short"
    server.log.wait_for("(?i)content-length|short", mark)


def test_a_body_longer_than_its_length_is_clamped(http: Transport, server: Server) -> None:
    mark = server.log.mark()
    with http.connect() as connection:
        connection.send(http.bytes_of("/long") + http.bytes_of("/list"))
        first = connection.read_response()
        assert first.body == b"exact"
        if first.closes:
            connection.assert_closed()
        else:
            assert connection.read_response().body == b"hello world"
    server.log.wait_for("(?i)content-length", mark)
