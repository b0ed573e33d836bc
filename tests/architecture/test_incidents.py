"""Errors and warnings keep their ids: operators search for them, and alerts name them."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from tests.architecture.sources import ROOT, files, is_test, program

TABLE = ROOT / "crates" / "tapster-observe" / "src" / "incident"
#: Every id that there ever was, with its name. Lines are added here and never changed.
KNOWN = Path(__file__).with_name("incidents.txt")

_ROW = re.compile(r'^    ([A-Z0-9_]+) = (\d+) (?:Error|Warning) "([a-z0-9-]+)"', re.MULTILINE)
_OPTION = re.compile(r"`(?:[a-z]+ )?--([a-z][a-z-]+)")
_NAME = re.compile(r'name: "([a-z0-9-]+)"')
#: Flags of other programs.
OTHERS = {"init", "sysctl", "ulimit"}
_USE = re.compile(r"\bIncident::([A-Z0-9_]+)\b")


def rows() -> list[tuple[str, int, str]]:
    texts = [path.read_text("utf-8") for path in sorted(TABLE.glob("*.rs"))]
    return [(row[1], int(row[2]), row[3]) for text in texts for row in _ROW.finditer(text)]


def test_ids_and_names_are_unique_and_stay() -> None:
    table = {f"TAP{number:04} {name}" for _, number, name in rows()}
    assert table == set(KNOWN.read_text("utf-8").splitlines())
    for counted in (Counter(number for _, number, _ in rows()), Counter(name for _, _, name in rows())):
        assert [which for which, count in counted.items() if count > 1] == []


def test_each_is_used() -> None:
    used = {
        found
        for path in files(".rs")
        if TABLE not in path.parents and not is_test(path)
        for found in _USE.findall(program(path))
    }
    assert used == {constant for constant, _, _ in rows()}


def test_pages_name_options_that_exist() -> None:
    folder = ROOT / "crates" / "tapster-config" / "src" / "options"
    known = {name for path in folder.glob("*.rs") for name in _NAME.findall(path.read_text("utf-8"))} | OTHERS
    named = {name for path in TABLE.glob("*.rs") for name in _OPTION.findall(path.read_text("utf-8"))}
    assert named - known == set()
