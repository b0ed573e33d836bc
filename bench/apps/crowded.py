"""Pages for slow clients, and one that says how many threads are free: `/meet` waits until no more requests join it."""

from __future__ import annotations

import threading
from typing import Any

PAGE = b"x" * 1000
LARGE = b"x" * (1 << 20)

#: Seconds that a request to /meet waits for the others.
WAIT = 1.0

_changed = threading.Condition()
_inside = 0
_most = 0


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answers with a page, a large one, the length of a body, or how many threads met."""
    path = environ["PATH_INFO"]
    if path == "/large":
        body = LARGE
    elif path == "/length":
        body = b"%d" % len(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
    elif path == "/meet":
        body = b"%d" % _meet()
    else:
        body = PAGE
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def _meet() -> int:
    global _inside, _most
    with _changed:
        _inside += 1
        _most = max(_most, _inside)
        _changed.wait(WAIT)
        met = _most
        _inside -= 1
        if not _inside:
            _most = 0
        return met
