"""The documents name files that exist: a tour that leads nowhere is worse than none."""

from __future__ import annotations

import re

import pytest

from bench import page as performance
from tests.architecture.sources import ROOT
from tests.architecture.test_arrows import dependencies

DOCUMENTS = sorted(ROOT.glob("*.md"))
_PATH = re.compile(r"`((?:crates|python|tests|tools|bench|examples|docs|deploy|\.github)/[\w./-]*)`")
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.name))
def test_paths_in_documents_exist(document: object) -> None:
    text = (ROOT / str(document)).read_text("utf-8")
    named = set(_PATH.findall(text)) | set(_LINK.findall(text))
    assert not [path for path in sorted(named) if not (ROOT / path).exists()]


def test_the_tour_has_ten_stops_and_the_map_has_every_crate() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    assert re.findall(r"^(\d+)\. `", text, re.MULTILINE) == [str(stop) for stop in range(1, 11)]
    crates = {path.name for path in (ROOT / "crates").iterdir() if (path / "Cargo.toml").exists()}
    assert set(re.findall(r"^\| `(tapster-\w+)` \|", text, re.MULTILINE)) == crates


def test_the_performance_page_says_what_was_measured() -> None:
    stale = [file.name for file, text in performance.made().items() if file.read_text("utf-8") != text]
    assert not stale, "run `make performance-page`"


def test_every_dependency_has_its_reason() -> None:
    table = (
        (ROOT / "ARCHITECTURE.md").read_text("utf-8").partition("## Dependencies")[2].partition("\n## ")[0]
    )
    used = {name for uses in dependencies().values() for name, _ in uses if not name.startswith("tapster-")}
    assert set(re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE)) == used
