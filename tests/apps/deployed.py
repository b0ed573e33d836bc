"""Behind a proxy: the steps of `steps.py`, the environ at `/environ`, and at `/host` on which host this runs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import environ_page
import steps
from routing import answer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Chooses by path."""
    if environ["PATH_INFO"] == "/environ":
        return environ_page.application(environ, start_response)
    if environ["PATH_INFO"] == "/host":
        return answer(start_response, os.environ["HOST_NAME"].encode())
    return steps.application(environ, start_response)
