"""Sends early hints (103, RFC 8297) in every way that is allowed, and in those that are not."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from routing import answer, query, routed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

STYLE = ("Link", "</style.css>; rel=preload; as=style")
SCRIPT = ("Link", "</app.js>; rel=preload; as=script")

FORMS: dict[str, Any] = {
    "list": [STYLE, SCRIPT],
    "tuple": (STYLE, SCRIPT),
    "generator": None,
    "bytes": [(b"Link", b"</style.css>; rel=preload; as=style"), (b"Link", SCRIPT[1])],
    "empty": [],
    "latin1": [("X-Name", "caf\u00e9")],
}

WRONG: dict[str, Any] = {
    "crlf": [("Link", "</a>\r\nX-Injected: 1")],
    "lf": [("Link", "</a>\nX-Injected: 1")],
    "nul": [("Link", "</a>\0")],
    "name": [("Link\r\nX-Injected", "1")],
    "bytes-crlf": [(b"Link", b"</a>\r\nX-Injected: 1")],
    "hop-by-hop": [("Connection", "close")],
    "encoding": [("Transfer-Encoding", "chunked")],
    "unicode": [("Link", "</\u2603>")],
    "number": [("Link", 1)],
    "pair": [["Link", "</a>"]],
    "triple": [("Link", "</a>", "b")],
    "dict": {"Link": "</a>"},
    "none": None,
}


def hinted(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """`form` names one of FORMS; `times` sends it so often."""
    given = query(environ)
    hint: Callable[[Any], None] = environ["wsgi.early_hints"]
    for _ in range(int(given.get("times", "1"))):
        form = given.get("form", "list")
        hint(iter([STYLE, SCRIPT]) if form == "generator" else FORMS[form])
    return answer(start_response, b"hinted")


def wrong(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    environ["wsgi.early_hints"](WRONG[query(environ)["form"]])
    return answer(start_response, b"never")


def recovered(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Nothing of a wrong hint is sent, and the answer is still the application's."""
    try:
        environ["wsgi.early_hints"]([STYLE, *WRONG["crlf"]])
    except ValueError as error:
        return answer(start_response, str(error).encode())
    return answer(start_response, b"never")


def after_start(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """start_response() sends nothing by itself, so a hint may still follow it."""
    found = answer(start_response, b"hinted")
    environ["wsgi.early_hints"]([STYLE])
    return found


def after_head(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"first"
    try:
        environ["wsgi.early_hints"]([STYLE])
    except RuntimeError as error:
        yield b" " + str(error).encode()


def then_fails(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    environ["wsgi.early_hints"]([STYLE])
    raise ValueError("planned, after a hint")


def lazily(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    environ["wsgi.early_hints"]([STYLE])
    yield from answer(start_response, b"hinted")


def from_thread(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    found: list[str] = []

    def hint() -> None:
        try:
            environ["wsgi.early_hints"]([STYLE])
        except RuntimeError as error:
            found.append(str(error))

    thread = threading.Thread(target=hint)
    thread.start()
    thread.join()
    return answer(start_response, "".join(found).encode())


application = routed(
    {
        "/": hinted,
        "/wrong": wrong,
        "/recovered": recovered,
        "/after-start": after_start,
        "/after-head": after_head,
        "/then-fails": then_fails,
        "/lazily": lazily,
        "/from-thread": from_thread,
    }
)
