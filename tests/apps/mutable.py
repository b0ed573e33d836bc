"""For the test of shared things: other threads change what the server reads, and use what belongs to one request.

`/headers` and `/body` answer with a list that is changed all the while; `/input` reads its body in three threads;
`/write` lets another thread call the request's `write()` and `start_response`, also after the request; `/fine` echoes.
The threads that change things end some seconds after the first request.
"""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from routing import answer, routed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

HEADERS: list[tuple[str, str]] = [("X-First", "1")]
BODY: list[bytes] = [b"x" * 100]
KEPT: list[Any] = []
SECONDS = 5.0


def change_things() -> None:
    """Never leaves the lists as they were for long."""
    until = time.monotonic() + SECONDS
    for number in itertools.count():
        if number % 64 == 0 and time.monotonic() > until:
            return
        HEADERS.append((f"X-{number}", "v" * (number % 50)))
        BODY.append(b"y" * (number % 5000))
        if len(HEADERS) > 20:
            HEADERS.clear()
        if len(BODY) > 20:
            del BODY[1:]
        for kept in KEPT[-3:]:
            with suppress(Exception):
                kept(b"late")


for _ in range(2):
    threading.Thread(target=change_things, daemon=True).start()


def headers(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", HEADERS)
    return [b"headers"]


def body(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [])
    return BODY


def read_in_threads(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    parts: list[bytes] = []

    def read() -> None:
        while part := environ["wsgi.input"].read(1000):
            parts.append(part)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    read()
    for thread in threads:
        thread.join()
    return answer(start_response, str(sum(map(len, parts))).encode())


def write(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    writer = start_response("200 OK", [("Content-Length", "7")])
    KEPT.append(writer)
    del KEPT[:-10]
    for other in list(KEPT):
        if other is not writer:
            with suppress(RuntimeError):
                other(b"written by another request")
    return [b"written"]


def fine(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    return answer(start_response, environ["wsgi.input"].read())


application = routed(
    {"/headers": headers, "/body": body, "/input": read_in_threads, "/write": write, "/fine": fine}
)
