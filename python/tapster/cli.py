"""The `tapster` command. Stop 1 of the tour in ARCHITECTURE.md: everything but the app is native."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from tapster import _native


def main() -> NoReturn:
    """Run the server with the arguments of this process, and exit with its status."""
    if os.environ.get("PYTHONPATH"):
        from tapster._wrappers import leave_to_workers

        leave_to_workers()
    sys.exit(_native.main(sys.argv[1:]))
