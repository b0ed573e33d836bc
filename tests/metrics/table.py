"""The table of `docs/metrics.md`, made from what a server says of its metrics."""

from __future__ import annotations

import re
from typing import Final

from tests.server import REPOSITORY

PAGE: Final = REPOSITORY / "docs" / "metrics.md"
_ROW = re.compile(r"^# HELP (?P<name>\S+) (?P<help>.*)\n# TYPE \S+ (?P<type>\S+)$", re.MULTILINE)
_TABLE = re.compile(r"(?<=\| --- \| --- \| --- \|\n)(\| `tapster_.*\n)+")


def made(exposition: str) -> str:
    """The rows, of the text in Prometheus' format."""
    return "".join(
        f"| `{row['name']}` | {row['type']} | {row['help']} |\n" for row in _ROW.finditer(exposition)
    )


def written() -> str:
    """The rows of the page."""
    found = _TABLE.search(PAGE.read_text("utf-8"))
    return found.group() if found else ""


def write(rows: str) -> None:
    """Puts these rows into the page."""
    PAGE.write_text(_TABLE.sub(lambda _: rows, PAGE.read_text("utf-8")), "utf-8")
