"""What the application raised while it was loaded, explained. Imported only when it did."""

from __future__ import annotations

import os
import sys
import traceback
from importlib.machinery import PathFinder

from tapster.loading.errors import AppError
from tapster.loading.guard import ServerStarted
from tapster.loading.tracebacks import app_lines, innermost_own_line

_MAIN_BLOCK = 'under `if __name__ == "__main__":`'


def explain(error: BaseException, doing: str) -> AppError:
    """The error that says what happened while `doing` something (`importing `app``, for example)."""
    if isinstance(error, ServerStarted):
        return _server_started(error, doing)
    if isinstance(error, SystemExit):
        return _exited(error, doing)
    if isinstance(error, SyntaxError):
        where = f"{os.path.basename(error.filename)}, line {error.lineno}" if error.filename else "its source"
        return AppError(f"{doing} failed: {where} is not valid Python", cause=error)
    if isinstance(error, ImportError):
        return AppError(f"{doing} failed: {_first_line(error)}", hint=_import_hint(error), cause=error)
    return AppError(f"{doing} failed: {_first_line(error)}", cause=error)


def _first_line(error: BaseException, most: int = 200) -> str:
    line = traceback.format_exception_only(type(error), error)[0].partition("\n")[0]
    return line if len(line) <= most else f"{line[:most]}…"


def _server_started(error: ServerStarted, doing: str) -> AppError:
    where = innermost_own_line(error)
    call = f"`{where.source()}`" if where is not None and where.source() else "a server of its own"
    return AppError(
        f"{doing} starts another server and would never return: {where} is {call}",
        hint=f"put that line {_MAIN_BLOCK}: it then runs with `python` and not when the module is imported",
    )


def _exited(error: SystemExit, doing: str) -> AppError:
    where = innermost_own_line(error)
    return AppError(
        f"{doing} called sys.exit({'' if error.code is None else repr(error.code)})",
        hint=f"put what {where} does {_MAIN_BLOCK}, unless this is a script and no application's module",
        cause=error,
    )


def _import_hint(error: ImportError) -> str | None:
    """Say why a module that the application imports is not there, as far as that can be known."""
    name = error.name
    if not name:
        return None
    top = name.partition(".")[0]
    hidden = _hidden_by_own_file(top)
    if hidden is not None:
        return f"{hidden} has the name of the installed `{top}` and hides it: rename the file"
    if not isinstance(error, ModuleNotFoundError) or PathFinder.find_spec(top) is not None:
        return None
    for directory in {os.path.dirname(line.path): None for line in app_lines(error)}:
        if PathFinder.find_spec(top, [directory]) is not None:
            return f"`{top}` is in {directory}: add `--pythonpath {directory}`, or start in that directory"
    return (
        f"install what provides `{top}` for the Python that runs Tapster: {sys.executable} -m pip install …"
    )


def _hidden_by_own_file(name: str) -> str | None:
    """The file in the current directory that hides an installed module of this name, if there is one."""
    here = os.getcwd()
    own = PathFinder.find_spec(name, [here])
    if own is None or own.origin is None:
        return None
    elsewhere = [entry for entry in sys.path if entry and not _same_directory(entry, here)]
    installed = PathFinder.find_spec(name, elsewhere)
    is_hidden = installed is not None and installed.origin is not None
    return os.path.relpath(own.origin, here) if is_hidden else None


def _same_directory(path: str, other: str) -> bool:
    return os.path.realpath(path) == os.path.realpath(other)
