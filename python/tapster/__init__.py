"""Tapster: the WSGI application server. The command is `tapster`; see `tapster --help`."""

from __future__ import annotations

__all__ = ["__version__"]

__version__: str


def __getattr__(name: str) -> str:
    """Read the version from the native module on demand: the loader alone does not need that module."""
    if name == "__version__":
        from tapster import _native

        return _native.__version__
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
