"""What a process holds open, by the links of `/proc`."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


def count(pids: Sequence[int]) -> int:
    """How many descriptors the processes have."""
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)


def unlinked(pids: Sequence[int], directory: Path) -> list[int]:
    """The sizes of the files in `directory` that have no name any more and are still open."""
    sizes: dict[int, int] = {}
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            for name in os.listdir(f"/proc/{pid}/fd"):
                _note(f"/proc/{pid}/fd/{name}", directory, sizes)
    return list(sizes.values())


def _note(link: str, directory: Path, sizes: dict[int, int]) -> None:
    with suppress(FileNotFoundError, ProcessLookupError):
        target = os.readlink(link)
        if target.startswith(f"{directory}/") and target.endswith("(deleted)"):
            status = os.stat(link)
            sizes[status.st_ino] = status.st_size


def eventually(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    """Waits until something is so that only the process table tells."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"it did not come to hold within {seconds} s"
        time.sleep(0.01)
