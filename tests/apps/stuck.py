"""For the tests of time-outs: requests that do not end, each in its own way."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from typing import TYPE_CHECKING

from routing import answer, query, routed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

HELD = threading.Lock()
HELD.acquire()

#: What requests left behind, for the next one to tell.
NOTES: list[str] = []


def sleep(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    time.sleep(60)
    return answer(start_response, b"slept")


def lock(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    with HELD:
        return answer(start_response, b"locked")


def spin(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    try:
        while True:
            pass
    finally:
        NOTES.append(f"spin ended by {type(sys.exc_info()[1]).__name__}")


def keep_the_lock(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Sleeps in C without letting go of the interpreter's lock."""
    ctypes.PyDLL(None).usleep(int(float(query(environ).get("seconds", "60")) * 1e6))
    return answer(start_response, b"kept")


def swallow(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Lets no exception end it."""
    while True:
        try:
            while True:
                time.sleep(0.01)
        except BaseException as error:
            NOTES.append(f"swallowed {type(error).__name__}")


def midway(_: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    """Stops in the middle of its answer."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"begun"
    while True:
        time.sleep(0.01)


class StuckAtTheEnd:
    """Answers, and then does not close."""

    def __init__(self, _: WSGIEnvironment, start_response: StartResponse) -> None:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
        self._items = iter([b"whole"])

    def __iter__(self) -> Iterator[bytes]:
        return self._items

    def close(self) -> None:
        while True:
            time.sleep(0.01)


def events(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    """Longer in all than a request may take, and never silent for that long."""
    given = query(environ)
    start_response("200 OK", [("Content-Type", "text/event-stream")])
    for number in range(int(given["count"])):
        time.sleep(float(given["seconds"]))
        yield b"event %d\n" % number


def barely(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Ends at about the moment at which its time is over, computing all the while."""
    until = time.monotonic() + float(query(environ)["seconds"])
    while time.monotonic() < until:
        pass
    return answer(start_response, environ["QUERY_STRING"].encode())


def notes(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    return answer(start_response, "\n".join(NOTES).encode())


def pid(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    return answer(start_response, str(os.getpid()).encode())


application = routed(
    {
        "/sleep": sleep,
        "/lock": lock,
        "/spin": spin,
        "/keep": keep_the_lock,
        "/swallow": swallow,
        "/midway": midway,
        "/at-the-end": StuckAtTheEnd,
        "/events": events,
        "/barely": barely,
        "/notes": notes,
        "/pid": pid,
    }
)
