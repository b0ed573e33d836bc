"""The order of the measurements: in each round every server has its turn, so that a change of the machine meets all."""

from __future__ import annotations

import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench import machine
from bench.child import MeasurementError
from bench.contenders import CONTENDERS, floor
from bench.results import Results, Round
from bench.scenarios import SCENARIOS
from bench.serving import Job

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Settings:
    """How long it takes."""

    rounds: int
    seconds: int


def run(scenarios: Sequence[str], contenders: Sequence[str], settings: Settings, path: Path) -> Results:
    """Measures; writes the file after each scenario, so that an interrupted run is not lost."""
    results = _begun(settings, path)
    present = [name for name in contenders if name not in results.missing]
    for name, why in results.missing.items():
        _say(f"not measured: {name}: {why}")
    for scenario in scenarios:
        results.rounds[scenario] = measured(scenario, present, settings)
        results.write(path)
    return results


def measured(scenario: str, present: Sequence[str], settings: Settings) -> dict[str, list[Round]]:
    """Every round of one scenario."""
    asked = SCENARIOS[scenario]
    rounds: dict[str, list[Round]] = {name: [] for name in asked.contenders if name in present}
    count = min(settings.rounds, asked.most_rounds)
    for number in range(count):
        for name, taken in rounds.items():
            with tempfile.TemporaryDirectory(prefix="tapster-bench-") as folder:
                job = Job(CONTENDERS[name], asked.app, asked.threads, settings.seconds, Path(folder))
                taken.append(_one(scenario, job))
            shown = ", ".join(f"{figure} {value:.4g}" for figure, value in taken[-1].figures.items())
            trouble = f"  ({taken[-1].trouble})" if taken[-1].trouble else ""
            _say(f"{scenario} {number + 1}/{count} {name}: {shown}{trouble}")
    return rounds


def _one(scenario: str, job: Job) -> Round:
    try:
        return SCENARIOS[scenario].measure(job)
    except MeasurementError as error:
        return Round(trouble=str(error))


def _begun(settings: Settings, path: Path) -> Results:
    """The results so far, if the file has some of the same servers on the same machine."""
    versions, missing = _versions()
    fresh = Results(
        f"{machine.now():%Y-%m-%d}", machine.description(), versions, missing, settings.seconds, {}
    )
    if path.exists():
        earlier = Results.read(path)
        if (earlier.machine, earlier.versions, earlier.seconds) != (
            fresh.machine,
            fresh.versions,
            fresh.seconds,
        ):
            sys.exit(
                f"{path} is of another machine, other versions or another SECONDS_EACH: choose a new file"
            )
        return earlier
    return fresh


def _versions() -> tuple[dict[str, str], dict[str, str]]:
    """The versions of what is installed, and what is not."""
    versions: dict[str, str] = {}
    missing: dict[str, str] = {}
    for name, contender in CONTENDERS.items():
        version = contender.version()
        if version is None:
            missing[name] = f"{contender.package} is not installed: it did not build here"
        elif version:
            versions[name] = version
    with suppress(FileNotFoundError):
        versions["tapster"] = machine.tapster_version()
    if "tapster" not in versions:
        missing["tapster"] = "the command does not run"
    if not floor().exists():
        missing["floor"] = f"{floor()} was not compiled"
    return versions, missing


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
