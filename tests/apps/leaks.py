"""Keeps a mebibyte of memory for each request, as a leaking application does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from routing import answer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

LEAKED: list[bytes] = []


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/leak":
        LEAKED.append(b"x" * (1 << 20))
    return answer(start_response, str(len(LEAKED)).encode())
