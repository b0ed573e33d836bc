"""Answers of the same bytes made in every way, and what the application sees of their end: for clients that do not read.

Files lie in the directory FILES; `/close?id=` says on which thread `close()` of a file ran, and how often.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from blocks import BLOCK, numbered
from routing import answer, query, routed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

FILES = Path(os.environ.get("FILES", "."))


def hello(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    return answer(start_response, b"hello")


class Noted:
    """A file whose `close()` is noted. Its `read()` is its own, so that it is no plain file to the server."""

    def __init__(self, name: str, file: BinaryIO) -> None:
        self._name, self._file = name, file

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def close(self) -> None:
        self._file.close()
        _closed.setdefault(self._name, []).append(threading.get_ident())


class Closing:
    """Notes `close()` of what a plain file's wrapper does not show: it wraps the wrapper's iterable."""

    def __init__(self, name: str, items: Iterator[bytes]) -> None:
        self._name, self._items = name, items

    def __iter__(self) -> Iterator[bytes]:
        return self._items

    def close(self) -> None:
        _closed.setdefault(self._name, []).append(threading.get_ident())


def download(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """`blocks` numbered blocks of 64 KiB as `kind`: bytes, list, generator, write, file or read."""
    given = query(environ)
    kind, count = given["kind"], int(given["blocks"])
    length = [("Content-Length", str(count * len(BLOCK)))] if "sized" in given else []
    write = start_response("200 OK", [("Content-Type", "application/octet-stream"), *length])
    _called[given.get("id", "")] = threading.get_ident()
    if kind == "bytes":
        return [b"".join(numbered(count))]
    if kind == "list":
        return list(numbered(count))
    if kind == "write":
        for block in numbered(count):
            write(block)
        return []
    if kind == "generator":
        return Closing(given.get("id", ""), numbered(count))
    path = FILES / f"{count}"
    if kind == "read":
        return environ["wsgi.file_wrapper"](Noted(given.get("id", ""), path.open("rb")), len(BLOCK))
    return environ["wsgi.file_wrapper"](path.open("rb"), len(BLOCK))


def shrinking(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """A file that is cut while it is sent: the client has the head by then, and nothing else was read yet."""
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return environ["wsgi.file_wrapper"]((FILES / query(environ)["name"]).open("rb"))


def closed(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """`1 True` if `close()` ran once, on the thread of the call; `0 True` if there was no call."""
    name = query(environ)["id"]
    threads = _closed.get(name, [])
    calls = [_called[name]] if name in _called else []
    return answer(start_response, f"{len(threads)} {threads == calls}".encode())


_closed: dict[str, list[int]] = {}
_called: dict[str, int] = {}

application = routed(
    {"/": hello, "/download": download, "/shrinking": shrinking, "/closed": closed},
)
