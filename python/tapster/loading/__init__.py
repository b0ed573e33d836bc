"""From what was typed to a WSGI callable. Run by a worker after the fork, before it serves.

`spec.py` reads what was typed, `importing.py` imports the module, `finding.py` picks the object,
`forms.py` makes one callable of it, `guard.py` watches for servers that the app starts by itself meanwhile.
Whatever cannot be loaded is an `AppError` that says what was found and what to write instead.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from tapster.loading.errors import AppError, NothingToServeError
from tapster.loading.finding import discover, find
from tapster.loading.forms import WsgiCallable, describe, wsgi_callable
from tapster.loading.guard import Guard
from tapster.loading.importing import import_target
from tapster.loading.mounts import dispatcher
from tapster.loading.spec import Spec, parse

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["AppError", "LoadedApp", "load"]


class LoadedApp(NamedTuple):
    """An application that can be served."""

    callable: WsgiCallable
    """To be called with (environ, start_response)."""
    name: str
    """For people: `app:app (Flask)`."""


def load(text: str | None, mounts: Sequence[tuple[str, str]] = ()) -> LoadedApp:
    """Load the application that `text` names, or the one that the current directory holds.

    With `mounts`, pairs of a prefix and a name, these have the paths below their prefixes; none is looked for then.

    The current directory must be on the import path already. Raises `AppError`, and nothing else that
    the application could cause, except KeyboardInterrupt.
    """
    with Guard():
        if mounts:
            return _load_mounted(text, mounts)
        return _load_discovered() if text is None else _load_spec(parse(text))


def _load_mounted(text: str | None, mounts: Sequence[tuple[str, str]]) -> LoadedApp:
    default = None if text is None else _load_spec(parse(text))
    loaded = [(prefix, _load_spec(parse(name))) for prefix, name in mounts]
    names = [
        *([] if default is None else [default.name]),
        *(f"{one.name} at {prefix}" for prefix, one in loaded),
    ]
    mounted = [(prefix, one.callable) for prefix, one in loaded]
    return LoadedApp(dispatcher(default and default.callable, mounted), ", ".join(names))


def _load_spec(spec: Spec) -> LoadedApp:
    found = find(import_target(spec), spec)
    return LoadedApp(wsgi_callable(found.value, found.name), describe(found.name, found.value))


def _load_discovered() -> LoadedApp:
    """Serve the first of the usual modules that has an application; a failing import is an error."""
    without: list[NothingToServeError] = []
    for spec in discover(os.getcwd()):
        try:
            return _load_spec(spec)
        except NothingToServeError as nothing:
            without.append(nothing)
    raise without[0]
