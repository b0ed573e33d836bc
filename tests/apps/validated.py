"""A well-behaved application inside `wsgiref.validate`, which raises AssertionError at any breach of PEP 3333."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from wsgiref.validate import validator

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def checked(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Uses input, errors, write() and an iterator, all through the validator's wrappers."""
    stream = environ["wsgi.input"]
    length = int(environ.get("CONTENT_LENGTH") or 0)
    received = stream.read(1) + stream.readline(10) + stream.read(length) if length else b""
    environ["wsgi.errors"].write("validated\n")
    environ["wsgi.errors"].flush()
    write = start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    if environ["PATH_INFO"] == "/write":
        write(b"written ")
    return _pieces(hashlib.sha256(received).hexdigest().encode(), len(received))


def _pieces(digest: bytes, length: int) -> Iterator[bytes]:
    yield b"%d " % length
    yield digest


application = validator(checked)
