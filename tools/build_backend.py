"""The build backend that pip runs: maturin, after one question it does not ask, the operating system."""

# pyright: reportUnknownVariableType=false

from __future__ import annotations

import sys

if sys.platform == "win32":
    sys.exit("Tapster runs on Linux and macOS: on Windows, install it inside WSL or a container.")

# The hooks of PEP 517 and PEP 660, as maturin has them.
from maturin import (  # pyright: ignore[reportMissingImports]
    build_editable,
    build_sdist,
    build_wheel,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]
