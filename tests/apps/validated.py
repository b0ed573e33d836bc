"""Well-behaved applications inside `wsgiref.validate`, which raises AssertionError at any breach of PEP 3333."""

from __future__ import annotations

import hashlib
import io
import sys
import tempfile
from typing import TYPE_CHECKING
from wsgiref.validate import validator

from routing import routed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

TEXT = [("Content-Type", "text/plain; charset=utf-8")]


def received(environ: WSGIEnvironment) -> bytes:
    """The body, by every method of the stream."""
    stream = environ["wsgi.input"]
    start = stream.read(1) + stream.readline(10) + stream.readline()
    return start + b"".join(stream.readlines(100)) + b"".join(stream) + stream.read(10)


def report(environ: WSGIEnvironment) -> bytes:
    """The length and digest of the body."""
    body = received(environ)
    environ["wsgi.errors"].write("validated\n")
    environ["wsgi.errors"].writelines(["validated\n"])
    environ["wsgi.errors"].flush()
    return b"%d %s" % (len(body), hashlib.sha256(body).hexdigest().encode())


def generator(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", TEXT)
    return _pieces(report(environ))


def listed(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    told = report(environ)
    start_response("200 OK", [*TEXT, ("Content-Length", str(len(told)))])
    return [told[:3], told[3:]]


def written(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    write = start_response("200 OK", TEXT)
    write(b"written ")
    return _pieces(report(environ))


def hinted(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    environ["wsgi.early_hints"]([("Link", "</style.css>; rel=preload; as=style")])
    return listed(environ, start_response)


def wrapped_file(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    return _wrapped(environ, start_response, tempfile.TemporaryFile())


def wrapped_memory(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    return _wrapped(environ, start_response, io.BytesIO())


def replaced(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("500 Not This", TEXT)
    try:
        raise ValueError("planned")
    except ValueError:
        start_response("200 OK", TEXT, sys.exc_info())
    return [report(environ)]


def empty(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("204 No Content", [])
    return []


def _wrapped(environ: WSGIEnvironment, start_response: StartResponse, file: io.IOBase) -> Iterable[bytes]:
    file.write(report(environ))
    file.seek(0)
    wrapper: Callable[..., Iterable[bytes]] = environ["wsgi.file_wrapper"]
    start_response("200 OK", TEXT)
    return wrapper(file, 7)


def _pieces(told: bytes) -> Iterator[bytes]:
    yield told[:3]
    yield told[3:]


application = validator(
    routed(
        {
            "/": generator,
            "": generator,
            "/list": listed,
            "/write": written,
            "/hints": hinted,
            "/file": wrapped_file,
            "/memory": wrapped_memory,
            "/replaced": replaced,
            "/empty": empty,
        }
    )
)
