"""Reads request bodies in ways that show when the bytes came."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from routing import answer, query, routed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def hello(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    return answer(start_response, b"hello")


def whole(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """All of the body, read in one call."""
    return answer(start_response, environ["wsgi.input"].read())


def lines(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    """Each line goes back as soon as it is there."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield from environ["wsgi.input"]


def some(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """The first `count` bytes; what follows them is left unread."""
    return answer(start_response, environ["wsgi.input"].read(int(query(environ)["count"])))


def caught(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """What reading raises, and that it raises again."""
    raised: list[str] = []
    for _ in range(2):
        try:
            while environ["wsgi.input"].read(1000):
                pass
            raised.append("nothing")
        except OSError as error:
            raised.append(f"{type(error).__name__}: {error}")
    assert raised[0] == raised[1]
    return answer(start_response, raised[0].encode())


def facts(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """What the environ says of the body's length, before and without reading it."""
    length: str = environ.get("CONTENT_LENGTH", "none")
    return answer(start_response, f"{length} {environ['wsgi.input_terminated']}".encode())


def left_behind(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answers while another thread reads the body: that one must not read the next request."""
    reading = threading.Event()

    def read() -> None:
        reading.set()
        try:
            environ["wsgi.input"].read()
        except (OSError, ValueError) as error:
            _raised.append(type(error).__name__)

    threading.Thread(target=read, daemon=True).start()
    reading.wait()
    return answer(start_response, b"left")


def raised(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    return answer(start_response, " ".join(_raised).encode())


_raised: list[str] = []

application = routed(
    {
        "/": hello,
        "/whole": whole,
        "/lines": lines,
        "/some": some,
        "/caught": caught,
        "/facts": facts,
        "/left-behind": left_behind,
        "/raised": raised,
    }
)
