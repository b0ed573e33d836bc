"""The dashboard and the rules in deploy/ ask for metrics that there are, by labels that they have."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.metrics.scrape import ADMIN, Scrape, admin_of
from tests.server import REPOSITORY

if TYPE_CHECKING:
    from tests.conftest import Serve

DEPLOY = REPOSITORY / "deploy"


def dashboard() -> list[str]:
    """The queries of the dashboard."""
    page: dict[str, Any] = json.loads((DEPLOY / "grafana" / "tapster.json").read_text())
    return [target["expr"] for panel in page["panels"] for target in panel["targets"]]


def rules() -> list[str]:
    """The queries of the rules."""
    text = (DEPLOY / "prometheus" / "alerts.yml").read_text()
    return re.findall(r"expr: (?:\|\n)?((?:.|\n)*?)\n {8}(?:for|labels):", text)


def documented() -> list[str]:
    """The queries of the page about metrics."""
    (block,) = re.findall(
        r"Useful queries:\n\n```\n(.*?)```", (REPOSITORY / "docs" / "metrics.md").read_text(), re.DOTALL
    )
    return [line for line in block.splitlines() if not line.startswith("#")]


def samples(serve: Serve) -> set[str]:
    """The names of all samples that there can be."""
    text = Scrape(admin_of(serve("plain:application", *ADMIN))).text
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    parts = ("_bucket", "_sum", "_count")
    return {name + part for name, kind in types.items() for part in (parts if kind == "histogram" else ("",))}


@pytest.mark.parametrize(
    ("queries", "most_asked"), [(dashboard, "class"), (rules, "reason"), (documented, "le")]
)
def test_queries_name_metrics_that_exist(serve: Serve, queries: Any, most_asked: str) -> None:
    asked = queries()
    assert len(asked) >= 4
    assert any(most_asked in query for query in asked)
    named = {name for query in asked for name in re.findall(r"\btapster_[a-z0-9_]+", query)}
    assert len(named) >= 4
    assert named <= samples(serve)


def test_panels_have_a_title_a_place_and_a_number_of_their_own() -> None:
    page: dict[str, Any] = json.loads((DEPLOY / "grafana" / "tapster.json").read_text())
    panels = page["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["title"] and panel["targets"] for panel in panels)
    places = {
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    }
    assert len(places) == sum(panel["gridPos"]["w"] * panel["gridPos"]["h"] for panel in panels)
