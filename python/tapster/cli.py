"""The `tapster` command. Stop 1 of the tour in ARCHITECTURE.md: everything but the app is native."""

from __future__ import annotations

import sys
from typing import NoReturn

from tapster import _native


def main() -> NoReturn:
    """Run the server with the arguments of this process, and exit with its status."""
    sys.exit(_native.main(sys.argv[1:]))
