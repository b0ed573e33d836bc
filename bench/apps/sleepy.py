"""Waits 10 ms for each request, as for a database."""

from __future__ import annotations

import time
from typing import Any


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Blocks, then answers."""
    time.sleep(0.01)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]
