"""The raw results of one run, as JSON, and their medians."""

from __future__ import annotations

import json
import statistics
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

#: The run that docs/performance.md shows: one file.
PUBLISHED = Path(__file__).resolve().parent / "results"

#: Every run, one file each.
RUNS = PUBLISHED.parents[1] / ".build" / "bench-results"

_FORMAT = 1


@dataclass(frozen=True)
class Round:
    """The figures of one measurement, or why there are none."""

    figures: dict[str, float] = field(default_factory=dict[str, float])
    #: What went wrong.
    trouble: str = ""


@dataclass(frozen=True)
class Summary:
    """One figure over all rounds."""

    median: float
    low: float
    high: float

    @property
    def spread(self) -> float:
        """How far the rounds lie apart, as a share of the median."""
        return (self.high - self.low) / self.median if self.median else 0.0


@dataclass
class Results:
    """One run: the machine, the versions, and each scenario's rounds by server."""

    date: str
    machine: dict[str, str]
    versions: dict[str, str]
    #: Servers that are not installed here, and why.
    missing: dict[str, str]
    seconds: int
    rounds: dict[str, dict[str, list[Round]]]

    def names(self, scenario: str) -> list[str]:
        """The servers with figures in a scenario."""
        measured = self.rounds.get(scenario, {})
        return [name for name, rounds in measured.items() if any(one.figures for one in rounds)]

    def summary(self, scenario: str, name: str, figure: str) -> Summary | None:
        """Median, lowest and highest of one figure; none where it was not measured."""
        rounds = self.rounds.get(scenario, {}).get(name, [])
        values = [one.figures[figure] for one in rounds if figure in one.figures]
        return Summary(statistics.median(values), min(values), max(values)) if values else None

    def trouble(self, scenario: str, name: str) -> str:
        """What went wrong in the last round in which something did."""
        told = [one.trouble for one in self.rounds[scenario][name] if one.trouble]
        return told[-1] if told else ""

    def write(self, path: Path) -> None:
        """Writes the file anew."""
        path.parent.mkdir(parents=True, exist_ok=True)
        data = asdict(self)
        for measured in data["rounds"].values():
            for name, rounds in measured.items():
                measured[name] = [_flat(one) for one in rounds]
        path.write_text(_compact({"format": _FORMAT, **data}) + "\n", "utf-8")

    @classmethod
    def read(cls, path: Path) -> Results:
        """Reads such a file."""
        data: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if data.pop("format", None) != _FORMAT:
            sys.exit(f"{path} was written by another version of bench/: measure again")
        for measured in data["rounds"].values():
            for name, rounds in measured.items():
                measured[name] = [Round(one, one.pop("trouble", "")) for one in rounds]
        return cls(**data)


def newest() -> Path:
    """The latest run, else the published one."""
    found = sorted(RUNS.glob("*.json")) or [published()]
    return found[-1]


def published() -> Path:
    """The run that the page shows."""
    found = sorted(PUBLISHED.glob("*.json"))
    if len(found) != 1:
        sys.exit(
            f"{PUBLISHED} holds {len(found)} runs instead of one: `make bench`, then `make performance-page`"
        )
    return found[0]


def publish(path: Path) -> Path:
    """Puts a run in the place of the published one; the new file."""
    results = Results.read(path)
    for earlier in PUBLISHED.glob("*.json"):
        earlier.unlink()
    new = PUBLISHED / f"{results.date}.json"
    results.write(new)
    return new


def _flat(one: dict[str, Any]) -> dict[str, Any]:
    """Figures and trouble in one object, with as many digits as mean something."""
    figures = {name: float(f"{value:.5g}") for name, value in one["figures"].items()}
    return {**figures, "trouble": one["trouble"]} if one["trouble"] else figures


def _compact(data: dict[str, Any]) -> str:
    """JSON with one round a line."""
    rounds = data.pop("rounds")
    lines = [f" {json.dumps(key)}: {json.dumps(value)}," for key, value in data.items()]
    scenarios: list[str] = []
    for scenario, measured in rounds.items():
        servers = [
            f"   {json.dumps(name)}: [\n    " + ",\n    ".join(json.dumps(one) for one in each) + "]"
            for name, each in measured.items()
        ]
        scenarios.append(f"  {json.dumps(scenario)}: {{\n" + ",\n".join(servers) + "}")
    return "{\n" + "\n".join(lines) + '\n "rounds": {\n' + ",\n".join(scenarios) + "}}"
