"""Answers with the environ as JSON: for each key the type and the value (or `repr`, for what is no plain value)."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """The page. Adds what can only be asked here: the thread's name, methods of the streams."""
    page = {key: [type(value).__name__, _plain(value)] for key, value in environ.items()}
    page["test.thread"] = ["str", threading.current_thread().name]
    page["test.thread_class"] = ["str", type(threading.current_thread()).__name__]
    page["test.environ_class"] = ["str", type(environ).__name__]
    page["test.input"] = [
        "list",
        _methods(environ["wsgi.input"], ["read", "readline", "readlines", "__iter__"]),
    ]
    page["test.errors"] = ["list", _methods(environ["wsgi.errors"], ["write", "writelines", "flush"])]
    environ["wsgi.errors"].write("wsgi.errors works: " + environ["PATH_INFO"] + "\n")
    environ["wsgi.errors"].flush()
    body = json.dumps(page).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, bool, list, tuple)) else repr(value)


def _methods(stream: Any, names: list[str]) -> list[str]:
    return [name for name in names if callable(getattr(stream, name, None))]
