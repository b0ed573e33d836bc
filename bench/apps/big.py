"""Answers with 1 MiB."""

from __future__ import annotations

from typing import Any

BODY = b"x" * (1 << 20)


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """The same mebibyte to everything."""
    start_response(
        "200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(len(BODY)))]
    )
    return [BODY]
