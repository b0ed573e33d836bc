"""Builds uwsgi packets as nginx does: the client side of every test that speaks uwsgi."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PING = b"\x64\x00\x00\x00"
PONG = b"\x64\x00\x00\x01"


def packet(variables: Iterable[tuple[bytes, bytes]], modifier1: int = 0, modifier2: int = 0) -> bytes:
    """A packet: header, then each name and value with its length (little endian) before it."""
    block = b"".join(_sized(name) + _sized(value) for name, value in variables)
    return struct.pack("<BHB", modifier1, len(block), modifier2) + block


def request_variables(
    method: str = "GET",
    target: str = "/",
    fields: Mapping[str, str] | None = None,
    body: bytes | None = None,
    **overrides: str,
) -> list[tuple[bytes, bytes]]:
    """The variables of nginx's stock uwsgi_params, and one for each field of the client.

    As nginx does, CONTENT_LENGTH and CONTENT_TYPE are sent empty when there are none.
    """
    given = {"Host": "test.example", **(fields or {})}
    path, _, query = target.partition("?")
    variables = {
        "QUERY_STRING": query,
        "REQUEST_METHOD": method,
        "CONTENT_TYPE": given.get("Content-Type", ""),
        "CONTENT_LENGTH": "" if body is None else str(len(body)),
        "REQUEST_URI": target,
        "PATH_INFO": unquote_to_bytes(path.encode("latin-1")).decode("latin-1"),
        "DOCUMENT_ROOT": "/usr/share/nginx/html",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REQUEST_SCHEME": "http",
        "REMOTE_ADDR": "192.0.2.7",
        "REMOTE_PORT": "50123",
        "SERVER_PORT": "80",
        "SERVER_NAME": "test.example",
        **{"HTTP_" + name.upper().replace("-", "_"): value for name, value in given.items()},
        **overrides,
    }
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in variables.items()]


def uwsgi_request(
    method: str = "GET",
    target: str = "/",
    fields: Mapping[str, str] | None = None,
    body: bytes | None = None,
    **overrides: str,
) -> bytes:
    """A whole request: packet and body."""
    return packet(request_variables(method, target, fields, body, **overrides)) + (body or b"")


def _sized(data: bytes) -> bytes:
    return struct.pack("<H", len(data)) + data
