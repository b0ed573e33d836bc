"""Answers as the query says: `f=Name: value` for each field, `status`, `type`, `size`, `text`, `gate` for a file to wait for,
`etag` for conditional answers; every answer says how often the application was called for its path.
"""

from __future__ import annotations

import collections
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_calls: collections.Counter[str] = collections.Counter()
_lock = threading.Lock()


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    asked = parse_qsl(environ["QUERY_STRING"], keep_blank_values=True)
    one = dict(asked)
    with _lock:
        _calls[environ["PATH_INFO"]] += 1
        count = _calls[environ["PATH_INFO"]]
    if "gate" in one:
        gate = Path(os.environ["GATES"]) / one["gate"]
        gate.with_suffix(".waiting").write_text(str(count))
        while not gate.exists():
            time.sleep(0.005)
    fields = [tuple(text.split(": ", 1)) for name, text in asked if name == "f"]
    for name in [text for key, text in asked if key == "echo"]:
        fields.append((f"X-{name}", environ.get(f"HTTP_{name.upper().replace('-', '_')}", "none")))
    if one.get("etag") and environ.get("HTTP_IF_NONE_MATCH") == one["etag"]:
        start_response("304 Not Modified", [*fields, ("ETag", one["etag"]), ("X-Call", str(count))])
        return []
    if one.get("etag"):
        fields.append(("ETag", one["etag"]))
    status = one.get("status", "200 OK")
    if "fails-after" in one and count > int(one["fails-after"]):
        status = "503 Service Unavailable"
    if one.get("type") != "":
        fields.append(("Content-Type", one.get("type", "text/plain")))
    fields.append(("X-Call", str(count)))
    body = f"call {count}\n".encode() + b"abcdefghij" * (int(one.get("size", "0")) // 10)
    if "stream" in one:
        start_response(status, fields)
        return pieces(one, body)
    start_response(status, [*fields, ("Content-Length", str(len(body)))])
    return [body]


def pieces(one: dict[str, str], body: bytes) -> Iterator[bytes]:
    """The body in pieces, each of which waits for a gate if there is one."""
    for number in range(int(one["stream"])):
        yield body
        if "piece-gate" in one:
            gate = Path(os.environ["GATES"]) / f"{one['piece-gate']}{number}"
            while not gate.exists():
                time.sleep(0.005)
