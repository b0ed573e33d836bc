"""An application wrapped by `wsgiref.validate` finds no breach of PEP 3333, under any protocol."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.transport import Transport

APP = "validated:application"


@pytest.mark.parametrize(
    "body", [None, b"", b"short\nbody", b"line\n" * 100_000], ids=["none", "empty", "short", "large"]
)
@pytest.mark.parametrize("path", ["/", "/write"])
def test_no_breach(transport: Transport, path: str, body: bytes | None) -> None:
    method = "GET" if body is None else "POST"
    response = transport.request(path, method, {"Content-Type": "text/plain"}, body)
    received = body or b""
    told = b"%d %s" % (len(received), hashlib.sha256(received).hexdigest().encode())
    assert response.status == 200
    assert response.body == (b"written " if path == "/write" else b"") + told


def test_head(transport: Transport) -> None:
    response = transport.request("/", "HEAD")
    assert (response.status, response.body) == (200, b"")
