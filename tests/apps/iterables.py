"""Iterables whose every step can be watched and steered from outside: `?id=` names one, other routes ask about it.

`/closed?id=` waits until its `close()` ran and answers how often; `/release?id=` lets it take its next step.
Needs one worker and at least two threads.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from routing import answer, query, routed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

WAIT_SECONDS = 10.0

_changed = threading.Condition()
_closed: Counter[str] = Counter()
_released: Counter[str] = Counter()


class PlannedError(Exception):
    """Raised on purpose."""


class Watched:
    """Passes items on and counts calls of `close()`."""

    def __init__(self, name: str, items: Iterator[bytes], raises: bool = False) -> None:
        self._name, self._items, self._raises = name, items, raises

    def __iter__(self) -> Watched:
        return self

    def __next__(self) -> bytes:
        return next(self._items)

    def close(self) -> None:
        """Counts; raises when that is the test."""
        with _changed:
            _closed[self._name] += 1
            _changed.notify_all()
        if self._raises:
            raise PlannedError("planned, in close()")


class WatchedList(list[bytes]):
    """A list with a `close()`: still has to be called."""

    name = ""

    def close(self) -> None:
        """Counts."""
        with _changed:
            _closed[self.name] += 1
            _changed.notify_all()


def items(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """`count` items of `size` bytes; `fail=N` raises before the Nth; `raise-in-close`."""
    given = query(environ)
    start_response(given.get("status", "200 OK"), [("Content-Type", "text/plain")])
    return Watched(given["id"], _items(given), "raise-in-close" in given)


def listed(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    found = WatchedList([b"listed"])
    found.name = query(environ)["id"]
    return found


def unstarted(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Never calls start_response, yet its iterable must be closed."""
    return Watched(query(environ)["id"], iter([b"never"]))


def endless(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return Watched(query(environ)["id"], iter(lambda: b"x" * 65536, b""))


def stepped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Server-sent events: each but the first waits for a `/release`."""
    given = query(environ)
    fields = [("Content-Type", "text/event-stream"), ("Cache-Control", "no-cache")]
    start_response("200 OK", fields)
    return Watched(given["id"], _steps(given["id"], int(given.get("count", "3"))))


def stepped_write(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """The same through write(), which must send at once as well."""
    given = query(environ)
    write = start_response("200 OK", [("Content-Type", "text/event-stream")])
    for step in _steps(given["id"], 3):
        write(step)
    return []


def release(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    with _changed:
        _released[query(environ)["id"]] += 1
        _changed.notify_all()
    return answer(start_response, b"released")


def closed(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    name = query(environ)["id"]
    with _changed:
        _changed.wait_for(lambda: _closed[name], WAIT_SECONDS)
        return answer(start_response, str(_closed[name]).encode())


def _items(given: dict[str, str]) -> Iterator[bytes]:
    size, fail = int(given.get("size", "5")), int(given.get("fail", "-1"))
    for number in range(int(given.get("count", "3"))):
        if number == fail:
            raise PlannedError("planned, in next()")
        yield bytes([97 + number % 26]) * size


def _steps(name: str, count: int) -> Iterator[bytes]:
    for number in range(count):
        if number:
            _wait_for_release(name, number)
        yield b"data: %d\n\n" % number


def _wait_for_release(name: str, number: int) -> None:
    with _changed:
        if not _changed.wait_for(lambda: _released[name] >= number, WAIT_SECONDS):
            raise PlannedError("not released in time")


def ping(_: Any, start_response: StartResponse) -> Iterable[bytes]:
    return answer(start_response, b"pong")


application = routed(
    {
        "/items": items,
        "/list": listed,
        "/unstarted": unstarted,
        "/endless": endless,
        "/stepped": stepped,
        "/stepped-write": stepped_write,
        "/release": release,
        "/closed": closed,
        "/ping": ping,
    }
)
