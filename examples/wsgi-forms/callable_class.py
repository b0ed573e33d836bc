"""A WSGI application that is an instance: it is made once, and called for each request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from page import HEADERS, render

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Application:
    """What is set in `__init__` is shared by all requests, and by the threads that serve them."""

    def __init__(self, status: str = "200 OK") -> None:
        self.status = status

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Called for each request; returns the body in one or more pieces."""
        start_response(self.status, HEADERS)
        return [render(environ)]


application = Application()
