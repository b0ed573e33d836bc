"""Answers as MOOD says: after 10 ms, 200 ms later (slow), or with 503 (failing); and says which process it was."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def application(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """The answer."""
    mood = os.environ.get("MOOD", "")
    body = str(os.getppid()).encode()
    if mood == "failing":
        start_response("503 Service Unavailable", [("Content-Length", str(len(body)))])
        return [body]
    time.sleep(0.21 if mood == "slow" else 0.01)
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
