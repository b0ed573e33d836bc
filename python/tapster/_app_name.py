"""The application's name for start-up lines, made without importing it. Run by the supervisor."""

from __future__ import annotations

import os

from tapster.loading import AppError
from tapster.loading.finding import discover


def app_name(app: str | None, chdir: str | None) -> str:
    """What was typed, or the module that a worker will try first; `chdir` is where it will look."""
    if app is not None:
        return app
    try:
        return discover(os.path.abspath(chdir or os.curdir))[0].target
    except AppError:
        return "no application found"
