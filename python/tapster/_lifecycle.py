"""What an application asks of the process that it runs in: `tapster.on_fork`, `tapster.on_exit`, `tapster.worker_id`.

A worker calls `become`, `run_forked` and `run_exiting`, a template `keep_registered` and
`restore_registered`.
"""

from __future__ import annotations

import sys
import traceback
from typing import Callable, TypeVar

__all__ = [
    "become",
    "keep_registered",
    "on_exit",
    "on_fork",
    "restore_registered",
    "run_exiting",
    "run_forked",
    "worker_id",
]

Function = TypeVar("Function", bound=Callable[[], object])

_forked: list[Callable[[], object]] = []
_exiting: list[Callable[[], object]] = []
_kept: list[Callable[[], object]] = []
_worker = 0


def on_fork(function: Function) -> Function:
    """Have `function` called in each worker, before its first request; return it, so that this decorates.

    The place for what a process must not share with another one: connections, threads, random state.
    It runs when the application is loaded, and with `--preload` after the fork; several run in the
    order in which they were registered. A worker in which one raises does not serve.
    """
    _forked.append(function)
    return function


def on_exit(function: Function) -> Function:
    """Have `function` called in each worker when its requests have ended; return it, so that this decorates.

    The last registered runs first, before the functions of `atexit`. What one raises is printed, and
    the others run. A worker that is killed runs none.
    """
    _exiting.append(function)
    return function


def worker_id() -> int:
    """Return the number of this worker, from 1; 0 in a process that is none.

    No two workers that run at the same time have the same number. While workers are replaced, there
    are more of them than `--workers` says, and their numbers are greater.
    """
    return _worker


def become(number: int) -> None:
    """Take note of which worker this process is."""
    global _worker
    _worker = number


def run_forked() -> None:
    """Call what was registered for a new worker, as far as the first that raises."""
    for function in _forked:
        function()


def keep_registered() -> None:
    """Take note that what is registered for the end so far is every worker's that is forked from this process."""
    _kept[:] = _exiting


def restore_registered() -> None:
    """Leave to new workers what `keep_registered` noted; what a worker registered for itself was called at its end."""
    _exiting[:] = _kept


def run_exiting() -> None:
    """Call what was registered for the end of a worker."""
    while _exiting:
        try:
            _exiting.pop()()
        except BaseException:
            sys.stderr.write(f"tapster: a function of tapster.on_exit failed:\n{traceback.format_exc()}")
