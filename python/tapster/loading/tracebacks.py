"""The application's part of a traceback, without Tapster's frames and the import system's.

Imported only when the application has raised something.
"""

from __future__ import annotations

import importlib
import linecache
import os
import sysconfig
import traceback

_OWN_DIRECTORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_IMPORTLIB = importlib.__file__


class Location:
    """A line of the application."""

    def __init__(self, path: str, line: int) -> None:
        self.path = path
        self.line = line

    def __str__(self) -> str:
        return f"{os.path.basename(self.path)}, line {self.line}"

    def source(self) -> str:
        """The text of the line, or nothing when the file cannot be read."""
        return linecache.getline(self.path, self.line).strip()


def app_traceback(error: BaseException) -> str:
    """Format `error` without the frames of Tapster and of the import system; no line break at the end."""
    shown = traceback.TracebackException.from_exception(error)
    pending = [shown]
    seen: set[int] = set()
    while pending:
        current = pending.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        current.stack[:] = [frame for frame in current.stack if not _is_machinery(frame.filename)]
        linked = [current.__cause__, current.__context__, *(getattr(current, "exceptions", None) or ())]
        pending.extend(each for each in linked if each is not None)
    return "".join(shown.format()).rstrip("\n")


def app_lines(error: BaseException) -> list[Location]:
    """The application's lines in the traceback of `error`, outermost first."""
    return [
        Location(frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if not _is_machinery(frame.f_code.co_filename)
    ]


def innermost_own_line(error: BaseException) -> Location | None:
    """The last line that is neither in the standard library nor installed: the one its author can change."""
    lines = app_lines(error)
    installed = tuple(sysconfig.get_paths()[name] + os.sep for name in ("stdlib", "purelib", "platlib"))
    own = [line for line in lines if not line.path.startswith(installed)]
    return (own or lines or [None])[-1]


def _is_machinery(filename: str) -> bool:
    return filename.startswith(("<frozen importlib", _OWN_DIRECTORY)) or filename == _IMPORTLIB
