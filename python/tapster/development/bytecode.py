"""Compiled files that may be stale. Run before the application is loaded."""

from __future__ import annotations

import os
import time
from importlib.machinery import SourceFileLoader
from typing import Any

_FRESH = 2.0
"""Seconds in which a file may be written again without that being seen in its time."""


def write_no_fresh_bytecode() -> None:
    """Write no `.pyc` for a source file that was written a moment ago.

    Python trusts a `.pyc` that has the size of its source and its time in whole seconds. A second save within
    that second that changes no length (a `1` to a `2`) would go on to run the first.
    """
    loader: Any = SourceFileLoader
    write = getattr(loader, "_cache_bytecode", None)
    if write is None:
        return

    def write_unless_fresh(self: SourceFileLoader, source_path: str, *rest: object) -> object:
        try:
            is_fresh = time.time() - os.stat(source_path).st_mtime < _FRESH
        except OSError:
            is_fresh = True
        return None if is_fresh else write(self, source_path, *rest)

    loader._cache_bytecode = write_unless_fresh
