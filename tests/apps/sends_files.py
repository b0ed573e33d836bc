"""Has files sent by whatever stands before it: every parameter of the query is a field of the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from routing import query

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    environ["wsgi.input"].read()
    start_response("200 OK", [("X-Other", "own"), *query(environ).items()])
    return [b"the application's own body"]
