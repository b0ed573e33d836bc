"""Waits 100 ms for some requests, as for a slow query, and answers the others at once."""

from __future__ import annotations

import time
from typing import Any


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """`/slow` blocks."""
    if environ["PATH_INFO"] == "/slow":
        time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]
