"""Answers each request with what it saw of it, and remembers all: `/witness` tells, and is not remembered itself.

Needs one worker.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from routing import answer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_seen: list[dict[str, str]] = []


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/witness":
        return answer(start_response, json.dumps(_seen).encode())
    _seen.append(
        {
            **{key: value for key, value in environ.items() if key.isupper()},
            "body": environ["wsgi.input"].read().decode("latin-1"),
        }
    )
    return answer(start_response, json.dumps(_seen[-1]).encode())
