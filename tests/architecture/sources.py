"""The source files that the checks read, and Rust text without what is not program."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]

#: Folders with code of ours.
FOLDERS = ("crates", "python", "tests", "tools", "bench", "examples", "fuzz")
#: Applications that are broken on purpose.
BROKEN = ROOT / "tests" / "loading" / "cases"

_COMMENT = re.compile(r"//[^\n]*")
_STRING = re.compile(r'b?r?"(?:[^"\\\n]|\\.)*"')
_TESTS = re.compile(r"^#\[cfg\(test\)\]\s*(?:#\[[^\]]*\]\s*)*mod \w+", re.MULTILINE)


def files(suffix: str) -> Iterator[Path]:
    """Every file of ours with this suffix."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob(f"*{suffix}")):
            if "target" not in path.parts and BROKEN not in path.parents:
                yield path


def crate_of(path: Path) -> str:
    """The crate that a Rust file belongs to."""
    return path.relative_to(ROOT / "crates").parts[0]


def name(path: Path) -> str:
    """The path as messages show it."""
    return path.relative_to(ROOT).as_posix()


def is_test(path: Path) -> bool:
    """Whether the whole file is for development only: tests, benches, generators."""
    parts = path.relative_to(ROOT).parts
    return (
        path.name == "tests.rs"
        or "tests" in parts
        or "benches" in parts
        or (parts[0] == "crates" and "examples" in parts)
    )


def program(path: Path) -> str:
    """The Rust of a file without its inline tests, comments and string literals."""
    text = path.read_text("utf-8")
    found = _TESTS.search(text)
    return _STRING.sub('""', _COMMENT.sub("", text[: found.start()] if found else text))
