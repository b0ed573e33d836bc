"""The operator's hooks (`--hooks MODULE`): functions that the supervisor calls as its life goes on.

They run in the supervisor, which never imports the application. Called by the native module. No public API.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator

NAMES = ("on_start", "pre_fork", "post_fork", "worker_ready", "worker_exit", "on_reload", "on_stop")
"""What a module of hooks may define, each as a function."""


class HookError(Exception):
    """A hook cannot be had or did what it must not; `str()` is written for the operator."""


class Hooks:
    """The functions of one module, in a namespace that is made anew at each `load`."""

    def __init__(self, module: str, directories: list[str]) -> None:
        self._module = module
        self._directories = directories
        self._functions: dict[str, Any] = {}

    def load(self) -> None:
        """Run the module as it is now. On any exception the functions of before stay.

        Modules from the application's directories that it imports are forgotten, so that workers, which
        are forks of this process, import them afresh.
        """
        sys.modules.pop(self._module, None)
        with application_imports(self._directories):
            importlib.invalidate_caches()
            spec = importlib.util.find_spec(self._module)
            if spec is None or spec.origin is None or not spec.has_location:
                raise HookError(f"there is no module {self._module} in {', '.join(self._directories)}")
            code = compile(Path(spec.origin).read_bytes(), spec.origin, "exec")
            namespace: dict[str, Any] = {
                "__name__": self._module,
                "__file__": spec.origin,
                "__package__": spec.parent,
            }
            # What the import system would do, without its bytecode cache: a file may change twice in a second.
            exec(code, namespace)  # noqa: S102
        refuse_threads(f"the module {self._module}")
        self._functions = {name: namespace[name] for name in NAMES if callable(namespace.get(name))}

    def call(self, name: str, *arguments: object) -> None:
        """Call the function of this name, if the module has it."""
        function = self._functions.get(name)
        if function is None:
            return
        try:
            function(*arguments)
        finally:
            # A worker that is forked next must not have these words in its copy of the buffer.
            sys.stdout.flush()
            sys.stderr.flush()
        refuse_threads(name)


@contextmanager
def application_imports(directories: list[str]) -> Generator[None, None, None]:
    """Let imports find the application's directories, and forget what they found there."""
    path, known = list(sys.path), set(sys.modules)
    sys.path[:0] = directories
    try:
        yield
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - known:
            if _is_inside(directories, getattr(sys.modules[name], "__file__", None)):
                del sys.modules[name]


def _is_inside(directories: list[str], file: str | None) -> bool:
    if file is None:
        return False
    inside = any(
        os.path.commonpath([directory, os.path.abspath(file)]) == directory for directory in directories
    )
    return inside and "site-packages" not in file


def refuse_threads(whose: str) -> None:
    """Raise HookError if this process has other threads: it could not be forked."""
    others = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if others:
        raise HookError(
            f"{whose} left a thread behind: {', '.join(others)}. The supervisor forks, and has none; "
            "start threads in the application, or in a process of their own"
        )
