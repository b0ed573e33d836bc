"""Applications wrapped by `wsgiref.validate` find no breach of PEP 3333, under any protocol."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from tests.wire import chunked, exchange, http_request

if TYPE_CHECKING:
    from tests.transport import Transport

APP = "validated:application"

BODIES = {"none": None, "empty": b"", "short": b"short\nbody", "large": b"line\n" * 100_000}
PATHS = ["/", "/list", "/write", "/file", "/memory", "/replaced"]


def told(path: str, body: bytes | None) -> bytes:
    """What the application says of the body."""
    received = body or b""
    digest = hashlib.sha256(received).hexdigest().encode()
    return (b"written " if path == "/write" else b"") + b"%d %s" % (len(received), digest)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("path", PATHS)
def test_no_breach(transport: Transport, path: str, body: bytes | None) -> None:
    method = "GET" if body is None else "POST"
    response = transport.request(path, method, {"Content-Type": "text/plain"}, body)
    assert (response.status, response.body) == (200, told(path, body))


@pytest.mark.parametrize("path", PATHS)
def test_chunked(http: Transport, path: str) -> None:
    parts = [b"line\n" * 1000, b"x", b"last"]
    request = http_request("POST", path, {"Transfer-Encoding": "chunked"}, chunked(*parts))
    response = exchange(http.address, request)
    assert (response.status, response.body) == (200, told(path, b"".join(parts)))


@pytest.mark.parametrize("path", PATHS)
def test_head(transport: Transport, path: str) -> None:
    response = transport.request(path, "HEAD")
    assert (response.status, response.body) == (200, b"")


def test_early_hints(http: Transport) -> None:
    with http.connect() as connection:
        connection.send(http.bytes_of("/hints"))
        assert connection.read_head().status == 103
        assert connection.read_response().body == told("/hints", None)


@pytest.mark.parametrize("name", ["GET", "HEAD", "POST", "DELETE", "FROB"])
def test_no_content(transport: Transport, name: str) -> None:
    response = transport.request("/empty", name)
    assert (response.status, response.body) == (204, b"")


@pytest.mark.parametrize("target", ["*", "/", "http://test.example"])
def test_options(http: Transport, target: str) -> None:
    """`*` has no path, and PEP 3333 knows none that begins otherwise than with a slash."""
    response = exchange(http.address, http_request("OPTIONS", target))
    assert (response.status, response.body) == (200, told("/", None))


def test_http_1_0(http: Transport) -> None:
    response = exchange(http.address, http_request("POST", "/list", {"Host": "a"}, b"body", version="1.0"))
    assert (response.status, response.body) == (200, told("/list", b"body"))
