"""Tapster: the WSGI application server. The command is `tapster`; see `tapster --help`."""

from __future__ import annotations

from tapster._lifecycle import on_exit, on_fork, worker_id
from tapster._log_variables import set_log_variable

__all__ = ["RequestTimeout", "__version__", "on_exit", "on_fork", "set_log_variable", "worker_id"]

__version__: str


class RequestTimeout(BaseException):
    """Raised in a thread whose request has taken longer than `--request-timeout`.

    Its client has been answered with 504 then, or cut off. It is no `Exception`, so that code which
    handles errors lets it pass; clean up in `finally`, and do not keep the thread.
    """


def __getattr__(name: str) -> str:
    """Read the version from the native module on demand: the loader alone does not need that module."""
    if name == "__version__":
        from tapster import _native

        return _native.__version__
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
