"""Chooses one of several small applications by path, so that a test module needs one server only."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def routed(routes: Mapping[str, WSGIApplication]) -> WSGIApplication:
    """An application that calls the one at PATH_INFO."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        found = routes.get(environ["PATH_INFO"])
        if found is None:
            return answer(start_response, b"no such route", "404 Not Found")
        return found(environ, start_response)

    return application


def answer(start_response: StartResponse, body: bytes, status: str = "200 OK") -> list[bytes]:
    """A plain answer of known length."""
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def query(environ: WSGIEnvironment) -> dict[str, str]:
    """The parameters of the query string."""
    return dict(parse_qsl(environ["QUERY_STRING"], keep_blank_values=True))
