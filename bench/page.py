"""Makes docs/performance.md and docs/performance.svg from raw results, so that they say what was measured and no more."""

from __future__ import annotations

import re
from pathlib import Path

from bench.chart import svg
from bench.results import Results, publish, published
from bench.scenarios import SCENARIOS
from bench.table import figures, judged, ranked, shown
from bench.targets import UNITS, verdicts

_REPOSITORY = Path(__file__).resolve().parent.parent
_TEMPLATE = Path(__file__).with_name("page.md")
PAGE = _REPOSITORY / "docs" / "performance.md"
CHART = PAGE.with_suffix(".svg")


def made() -> dict[Path, str]:
    """Both files, as the published run wants them."""
    path = published()
    results = Results.read(path)
    return {PAGE: page(results, path.relative_to(_REPOSITORY)), CHART: svg(results)}


def write(path: Path) -> None:
    """Publishes a run: keeps its raw results in place of the last one's, and writes both files."""
    publish(path)
    for file, text in made().items():
        file.write_text(text, "utf-8")


def page(results: Results, path: Path) -> str:
    """The text of the page."""
    parts = {
        "results": path.as_posix(),
        "date": results.date,
        "seconds": str(results.seconds),
        "rounds": str(max(len(each) for one in results.rounds.values() for each in one.values())),
        "machine": _rows(results.machine),
        "versions": _versions(results),
        "targets": _targets(results),
        "scenarios": "\n\n".join(_scenario(results, name) for name in SCENARIOS if name in results.rounds),
    }
    template = _TEMPLATE.read_text("utf-8").partition("\n\n")[2]
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found.group(1)], template)


def _rows(pairs: dict[str, str]) -> str:
    return "\n".join(f"| {name} | {text} |" for name, text in pairs.items())


def _versions(results: Results) -> str:
    installed = ", ".join(f"{name} {version}" for name, version in sorted(results.versions.items()))
    missing = "".join(f" Not measured: {name} ({why})." for name, why in results.missing.items())
    return f"{installed}.{missing}"


def _targets(results: Results) -> str:
    lines = [
        "| scenario | figure | Tapster | target | against | ratio | |",
        "| --- | --- | --: | --- | --- | --: | --- |",
    ]
    for verdict in verdicts(results):
        target = verdict.target
        title, unit, _ = UNITS[target.figure]
        value = f"{shown(target.figure, verdict.value)} {unit}".strip()
        against, ratio = judged(verdict)
        mark = "✓" if verdict.passed else "**missed**"
        lines.append(
            f"| {target.scenario} | {title} | {value} | {target.bound()} | {against} | {ratio} | {mark} |"
        )
    return "\n".join(lines)


def _scenario(results: Results, scenario: str) -> str:
    names = figures(results, scenario)
    titles = [
        f"{UNITS[name][0]}{f' ({UNITS[name][1]})' if UNITS[name][1].strip('/s') else ''}" for name in names
    ]
    lines = [
        f"### {scenario}",
        "",
        f"{SCENARIOS[scenario].title[0].upper()}{SCENARIOS[scenario].title[1:]}.",
        "",
        f"| server | {' | '.join(titles)} |",
        f"| --- |{' --: |' * len(names)}",
    ]
    notes: list[str] = []
    for server in ranked(results, scenario):
        trouble = results.trouble(scenario, server)
        if trouble:
            notes.append(f"{server}: {trouble}.")
        title = f"**{server}**" if server == "tapster" else server
        cells = [_cell(results, scenario, server, name) for name in names]
        lines.append(f"| {title}{' †' if trouble else ''} | {' | '.join(cells)} |")
    if notes:
        lines += ["", f"† {' '.join(notes)}"]
    return "\n".join(lines)


def _cell(results: Results, scenario: str, server: str, figure: str) -> str:
    summary = results.summary(scenario, server, figure)
    if not summary:
        return ""
    spread = f" ± {summary.spread * 50:.0f} %" if figure == "cpu_us" else ""
    return shown(figure, summary.median) + spread
