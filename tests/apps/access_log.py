"""Says something of each request for the access log."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import tapster
from routing import answer, query, routed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def hello(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    return answer(start_response, b"hello")


def said(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Sets what the query names, and somebody's name in the environ."""
    for name, value in query(environ).items():
        tapster.set_log_variable(name, value)
    environ["REMOTE_USER"] = "ann"
    environ["shop.cart"] = 3
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Kind", "test")])
    return [b"said"]


def slow(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    time.sleep(float(query(environ)["seconds"]))
    return answer(start_response, b"slow")


def missing(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    return answer(start_response, b"no", "404 Not Found")


application = routed({"/": hello, "/said": said, "/slow": slow, "/missing": missing, "/health": hello})
