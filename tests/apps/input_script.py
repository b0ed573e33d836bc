"""Runs a list of calls on `wsgi.input` and answers with what each returned.

The field X-Script holds JSON: `[["read", [3]], ["readline", []], ["list", []], ["digest", []]]`.
Bytes come back as latin-1 text; `digest` reads everything in blocks and gives its length and SHA-256.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Runs the script."""
    stream = environ["wsgi.input"]
    script = json.loads(environ["HTTP_X_SCRIPT"])
    results = [run(stream, name, arguments) for name, arguments in script]
    page = {"results": results, "length": environ.get("CONTENT_LENGTH")}
    body = json.dumps(page).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def run(stream: Any, name: str, arguments: list[Any]) -> Any:
    """One call; the same function makes the expected results from io.BytesIO."""
    if name == "list":
        return as_text(list(stream))
    if name == "next":
        return as_text(next(stream, b"<end>"))
    if name == "digest":
        return digest(stream)
    return as_text(getattr(stream, name)(*arguments))


def digest(stream: Any) -> list[Any]:
    """Length and SHA-256 of all that is left, read in blocks of an odd size."""
    total, running = 0, hashlib.sha256()
    while block := stream.read(65521):
        total += len(block)
        running.update(block)
    return [total, running.hexdigest()]


def as_text(value: Any) -> Any:
    """JSON has no bytes; their type must not be lost on the way."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, list):
        return [as_text(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return f"{type(value).__name__}: {value!r}"
