"""Answers as applications may give them: lists, write(), generators, bodiless statuses (PEP 3333)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from tests.server import Server
    from tests.transport import Transport

APP = "answers:application"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/list", b"hello world"),
        ("/one", b"hello"),
        ("/tuple", b"ab"),
        ("/empty-list", b""),
        ("/empty-items", b""),
        ("/length-zero", b""),
        ("/large-list", b"".join(bytes([n]) * 100_000 for n in range(20))),
        ("/write", b"one two"),
        ("/write-and-return", b"written returned"),
        ("/write-with-length", b"written"),
        ("/bytes-subclass-item", b"a subclass"),
        ("/sized-one", b"one item"),
        ("/sized-two", b"two items"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_body_is_all_items(transport: Transport, path: str, body: bytes) -> None:
    response = transport.request(path)
    assert (response.status, response.reason) == (200, "OK")
    assert response.body == body


@pytest.mark.parametrize(
    ("path", "length"),
    [
        ("/list", "11"),
        ("/one", "5"),
        ("/tuple", "2"),
        ("/empty-list", "0"),
        ("/empty-items", "0"),
        ("/sized-one", "8"),
    ],
)
def test_a_sized_body_gets_its_length(transport: Transport, path: str, length: str) -> None:
    assert transport.request(path).get("Content-Length") == length


def test_a_generator_is_lazy_and_chunked(http: Transport) -> None:
    response = http.request("/lazy")
    assert (response.status, response.reason, response.get("X-Lazy")) == (201, "Lazy", "yes")
    assert response.chunked
    assert response.body == b"ab"


def test_an_empty_item_sends_no_head(transport: Transport) -> None:
    response = transport.request("/replaced-after-empty")
    assert (response.status, response.reason, response.body) == (202, "Replaced", b"replaced")


def test_to_http_1_0_an_unsized_body_ends_with_the_connection(http: Transport) -> None:
    response = exchange(http.address, http_request(target="/lazy", version="1.0"))
    assert not response.chunked
    assert response.body == b"ab"
    assert response.version == "1.1", "the highest that the server speaks (RFC 9110 §2.5)"


def test_exc_info_before_the_head_is_sent_replaces_it(transport: Transport) -> None:
    response = transport.request("/exc-info-before")
    assert (response.status, response.reason, response.body) == (503, "Replaced", b"replaced")
    assert response.get("X-First") is None
    assert response.get("X-Second") == "2"


@pytest.mark.parametrize("path", ["/list", "/lazy", "/write"])
def test_head_has_the_head_alone(transport: Transport, path: str) -> None:
    response = transport.request(path, "HEAD")
    assert response.status in (200, 201)
    assert response.body == b""


def test_head_tells_the_length_of_get(transport: Transport) -> None:
    assert transport.request("/list", "HEAD").get("Content-Length") == "11"


def test_the_connection_is_usable_after_head(http: Transport) -> None:
    with http.connect() as connection:
        connection.send(http.bytes_of("/lazy", "HEAD"))
        connection.read_response("HEAD")
        connection.send(http.bytes_of("/list"))
        assert connection.read_response().body == b"hello world"


@pytest.mark.parametrize("path", ["/204", "/204-body", "/204-length", "/304", "/304-body", "/304-length"])
def test_204_and_304_have_no_body(http: Transport, path: str) -> None:
    """RFC 9110 §15.3.5, §15.4.5; RFC 9112 §6.1 forbids Transfer-Encoding, RFC 9110 §8.6 Content-Length with 204."""
    with http.connect() as connection:
        connection.send(http.bytes_of(path))
        response = connection.read_response()
        assert response.status == int(path[1:4])
        assert not response.chunked
        if response.status == 204:
            assert response.get("Content-Length") is None
        connection.send(http.bytes_of("/list"))
        assert connection.read_response().body == b"hello world"


def test_repeated_response_fields_stay_apart(transport: Transport) -> None:
    assert transport.request("/cookies").all("Set-Cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize("status", ["200 Fine With Me", "299 Odd", "418 I'm a teapot", "599 \u00e9", "404 "])
def test_the_reason_phrase_is_kept(transport: Transport, status: str) -> None:
    response = transport.request("/status?status=" + quote(status))
    assert f"{response.status} {response.reason}" == status


def test_latin1_in_a_response_field(transport: Transport) -> None:
    response = transport.request("/field?name=X-Name&value=" + quote("caf\u00e9 \u00ff"))
    assert response.get("X-Name") == "caf\u00e9 \u00ff"


def test_the_server_adds_date_and_server(transport: Transport) -> None:
    response = transport.request("/one")
    date, server = response.get("Date"), response.get("Server")
    assert date is not None
    assert date.endswith(" GMT")
    assert server is not None
    assert server.lower() == "tapster", "no version: it only helps an attacker"


def test_the_applications_date_and_server_win(transport: Transport) -> None:
    assert transport.request("/field?name=Server&value=mine").get("Server") == "mine"
    date = "Thu, 01 Jan 1970 00:00:00 GMT"
    assert transport.request("/field?name=date&value=" + quote(date)).get("Date") == date


def test_text_for_the_errors_stream_is_not_lost(http: Transport, server: Server) -> None:
    mark = server.log.mark()
    assert http.request("/errors").body == b"written"
    server.log.wait_for("caf(\u00e9|\\\\xe9) (\u2603|\\\\u2603) planned snowman", mark)
    server.log.wait_for("line two", mark)


def test_print_reaches_the_log_at_once(http: Transport, server: Server) -> None:
    mark = server.log.mark()
    http.request("/errors")
    server.log.wait_for("printed by the application", mark)
