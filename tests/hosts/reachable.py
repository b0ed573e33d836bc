"""Becomes a command for which everybody may reach the interpreter, wherever it is installed (root's home is closed).

Run as a program by root, in a mount namespace of its own: `unshare -m reachable.py PATHS COMMAND…`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path


def mount(*arguments: str) -> None:
    """Runs mount(8)."""
    subprocess.run(["mount", *arguments], check=True)


def open_up(path: Path) -> None:
    """Puts the same tree to the same place, below a directory that everybody may pass through."""
    closed = next((place for place in reversed(path.parents) if not place.stat().st_mode & 0o001), None)
    if closed is None:
        return
    aside = tempfile.mkdtemp(dir="/run")
    mount("--bind", str(path), aside)
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(closed))
    path.mkdir(parents=True)
    mount("--bind", aside, str(path))


def main(paths: str, *command: str) -> None:
    """Opens the paths up and executes the command."""
    for path in paths.split(":"):
        open_up(Path(path))
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
