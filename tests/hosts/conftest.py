"""Servers under other users, and a directory that these may use."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

REACHABLE = [
    "unshare",
    "--mount",
    sys.executable,
    str(Path(__file__).with_name("reachable.py")),
    sys.base_prefix,
]
"""A wrapper that lets every user run the interpreter of the tests. Takes root."""


@pytest.fixture
def common() -> Iterator[Path]:
    """A directory that every user may enter, unlike pytest's."""
    made = Path(tempfile.mkdtemp(prefix="tapster-"))
    os.chmod(made, 0o755)
    yield made
    shutil.rmtree(made)
