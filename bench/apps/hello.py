"""The smallest application: what is left is the server."""

from __future__ import annotations

from typing import Any

BODY = b"Hello, World!"
HEADERS = [("Content-Type", "text/plain"), ("Content-Length", str(len(BODY)))]


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """The same answer to everything."""
    start_response("200 OK", HEADERS)
    return [BODY]
