"""Commands in front of `tapster` that instrument Python: `opentelemetry-instrument`, `ddtrace-run`, `newrelic-admin run-program`.

They put a directory with a `sitecustomize` of theirs on PYTHONPATH, so that it runs in whatever Python they
start. That is the supervisor, which must have no threads and has nothing to instrument. So the supervisor
starts itself anew without those directories (`leave_to_workers`), and each process that imports the
application does what the interpreter would have done at its start (`run`).
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path

_VARIABLE = "_TAPSTER_PYTHONPATH"
"""The PYTHONPATH of before, for workers, and for the server that takes the place of this one."""


def leave_to_workers() -> None:
    """Execute this command anew if a wrapper's `sitecustomize` has run in this process; else return.

    Called before anything is opened or started. Threads of the wrapper end with its program.
    """
    before = os.environ.get("PYTHONPATH", "")
    found = _instrumenting(before)
    if not found or (command := _command()) is None:
        return
    kept = [entry for entry in before.split(os.pathsep) if entry not in found]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(kept), _VARIABLE: before}
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()
    # A system that refuses leaves the process as it is: it says later which threads keep it from forking.
    with suppress(OSError):
        os.execve(sys.executable, command, environment)  # noqa: S606


def run() -> None:
    """In a process that is to import the application: import the `sitecustomize` that was left to it, if one was.

    One that fails is told of on stderr, and the application runs without, as with the interpreter itself.
    """
    before = os.environ.pop(_VARIABLE, None)
    if before is None:
        return
    left = [entry for entry in before.split(os.pathsep) if entry not in sys.path and _customizes(entry)]
    os.environ["PYTHONPATH"] = before
    sys.path[:0] = left
    sys.modules.pop("sitecustomize", None)
    importlib.invalidate_caches()
    try:
        importlib.import_module("sitecustomize")
    except Exception:
        sys.stderr.write(
            f"tapster: instrumenting the application failed, it runs without:\n{traceback.format_exc()}"
        )


def _instrumenting(path: str) -> list[str]:
    """The directories of a PYTHONPATH that are not the supervisor's: those that stand in a package, or have started threads."""
    customizing = [entry for entry in path.split(os.pathsep) if entry and _customizes(entry)]
    if customizing and _has_threads():
        return customizing
    return [entry for entry in customizing if Path(entry, "__init__.py").is_file()]


def _customizes(directory: str) -> bool:
    return Path(directory, "sitecustomize.py").is_file()


def _has_threads() -> bool:
    try:
        return len(os.listdir("/proc/self/task")) > 1
    except OSError:
        return threading.active_count() > 1


def _command() -> list[str] | None:
    """The words that this process was started with, the interpreter first; as Python has them, or the system."""
    words: list[str] = list(getattr(sys, "orig_argv", ()))
    if not words:
        with suppress(OSError):
            text = Path("/proc/self/cmdline").read_bytes()
            words = [os.fsdecode(word) for word in text.split(b"\0")[:-1]]
    return words or None
