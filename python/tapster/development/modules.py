"""The files that the application is made of, told to the process that watches them.

What is written here is read by `crates/tapster-watch/src/reports.rs`.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import traceback
from _thread import start_new_thread
from time import sleep, time_ns
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PIECE = 4096
"""Bytes that a pipe keeps together (PIPE_BUF); several workers write to it."""

_LOOK = 0.5
"""Seconds between two looks at whether a request has imported more."""

_OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_STANDARD = tuple({sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib")})
_INSTALLED = tuple({sysconfig.get_path(name) + os.sep for name in ("purelib", "platlib")})


def report_modules(pipe: int, generation: int, since: int, error: BaseException | None) -> None:
    """Say which files were loaded after `since` (nanoseconds since 1970), by a worker of this generation.

    `pipe` is the number of a descriptor, which stays open for as long as the process lives.
    `error` is why the application cannot be loaded. Without one the files that requests import later are reported
    too, by a thread of its own.
    """
    files = set(_module_files())
    if error is not None:
        files.update(_files_of_error(error))
    last = time_ns()
    if not _tell(pipe, generation, since, files, "g" if error is None else "b"):
        return
    if error is None:
        # Not `threading`: an application may have replaced it, and it lists the threads there.
        start_new_thread(_follow, (pipe, generation, last, files))


def _follow(pipe: int, generation: int, since: int, told: set[str]) -> None:
    count = len(sys.modules)
    while True:
        sleep(_LOOK)
        if len(sys.modules) == count:
            since = time_ns()
            continue
        now = time_ns()
        count = len(sys.modules)
        new = set(_module_files()) - told
        told |= new
        if new and not _tell(pipe, generation, since, new, ""):
            return
        since = now


def _module_files() -> Iterator[str]:
    for module in list(sys.modules.values()):
        try:
            # Not getattr: some modules import others when they are asked for what they do not have.
            file = vars(module).get("__file__")
        except TypeError:
            continue
        if isinstance(file, str) and _is_of_interest(file):
            yield _source(file)


def _files_of_error(error: BaseException) -> Iterator[str]:
    """The files in its traceback, and in those of the errors behind it."""
    pending: list[BaseException | None] = [error]
    seen: set[int] = set()
    while pending:
        current = pending.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        pending += [current.__cause__, current.__context__]
        names = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(current.__traceback__)]
        if isinstance(current, SyntaxError) and current.filename:
            names.append(current.filename)
        yield from (name for name in names if _is_of_interest(name) and os.path.isfile(name))


def _is_of_interest(file: str) -> bool:
    """Everything counts but Tapster and the standard library, inside of which packages may be installed."""
    if not os.path.isabs(file) or file.startswith(_OWN):
        return False
    return file.startswith(_INSTALLED) or not file.startswith(_STANDARD)


def _source(file: str) -> str:
    return file[:-1] if file.endswith(".pyc") and os.path.exists(file[:-1]) else file


def _tell(pipe: int, generation: int, since: int, files: Iterable[str], end: str) -> bool:
    """Write everything in pieces that the pipe keeps together. False if nobody listens any more."""
    head = f"t{since} {generation}\0".encode()
    records = [b"f" + os.fsencode(file) + b"\0" for file in files]
    if end:
        records.append(f"{end}\0".encode())
    piece = head
    try:
        for record in records:
            if len(piece) + len(record) > _PIECE and piece != head:
                os.write(pipe, piece)
                piece = head
            piece += record
        if piece != head:
            os.write(pipe, piece)
    except OSError:
        return False
    return True
