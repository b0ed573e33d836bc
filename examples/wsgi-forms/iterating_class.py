"""A WSGI application that is a class: an instance is made for each request, and is the body."""

from __future__ import annotations

from typing import TYPE_CHECKING

from page import HEADERS, render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Application:
    """One request and its answer."""

    def __init__(self, environ: WSGIEnvironment, start_response: StartResponse) -> None:
        self.environ = environ
        self.start_response = start_response

    def __iter__(self) -> Iterator[bytes]:
        self.start_response("200 OK", HEADERS)
        yield render(self.environ)


application = Application
