"""Well-behaved routes for the tests of the wire: echo, digest, sized and streamed downloads, a counter of calls."""

from __future__ import annotations

import hashlib
import itertools
from typing import TYPE_CHECKING

from blocks import BLOCK, numbered
from routing import answer, query, routed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_calls = itertools.count(1)


def hello(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    return answer(start_response, b"hello")


def echo(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    return answer(start_response, environ["wsgi.input"].read())


def digest(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    running, length = hashlib.sha256(), 0
    while block := environ["wsgi.input"].read(65536):
        running.update(block)
        length += len(block)
    return answer(start_response, f"{length} {running.hexdigest()}".encode())


def unread(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answers without a look at the body."""
    return answer(start_response, b"no, thank you", "401 Unauthorized")


def target(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    return answer(start_response, environ["QUERY_STRING"].encode("latin-1"))


def calls(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """How often this route was called, this call included."""
    return answer(start_response, str(next(_calls)).encode())


def download(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """`blocks` blocks of 64 KiB, each with its number in front, streamed; `sized` adds Content-Length."""
    given = query(environ)
    blocks = int(given["blocks"])
    length = [("Content-Length", str(blocks * len(BLOCK)))] if "sized" in given else []
    start_response("200 OK", [("Content-Type", "application/octet-stream"), *length])
    return numbered(blocks)


application = routed(
    {
        "/": hello,
        "/hello": hello,
        "/echo": echo,
        "/digest": digest,
        "/unread": unread,
        "/target": target,
        "/calls": calls,
        "/download": download,
    }
)
