"""A WSGI application that is a function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from page import HEADERS, render

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Called for each request; returns the body in one or more pieces."""
    start_response("200 OK", HEADERS)
    return [render(environ)]
