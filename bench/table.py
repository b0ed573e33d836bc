"""The results as text for a terminal: each scenario sorted by its first figure, then the targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.scenarios import SCENARIOS
from bench.targets import UNITS, Verdict, verdicts

if TYPE_CHECKING:
    from bench.results import Results


def text(results: Results) -> str:
    """Everything that was measured."""
    blocks = [_scenario(results, name) for name in SCENARIOS if name in results.rounds]
    return "\n\n".join([*blocks, _targets(results)])


def figures(results: Results, scenario: str) -> list[str]:
    """The figures that a scenario has, the telling one first."""
    found = {
        figure for rounds in results.rounds[scenario].values() for one in rounds for figure in one.figures
    }
    return [figure for figure in UNITS if figure in found]


def ranked(results: Results, scenario: str) -> list[str]:
    """The servers with figures, the best in the telling figure first; those without last."""
    telling = [figure for figure in figures(results, scenario) if figure not in ("answer_ms", "import_ms")]
    if not telling:
        return list(results.rounds[scenario])

    def place(name: str) -> float:
        summary = results.summary(scenario, name, telling[0])
        return summary.median if summary else float("inf")

    return sorted(results.rounds[scenario], key=place)


def shown(figure: str, value: float) -> str:
    """A figure with its digits."""
    return f"{value:,.{UNITS[figure][2]}f}"


def judged(verdict: Verdict) -> tuple[str, str]:
    """The reference and the ratio in words; both empty where the bound is a number."""
    if not verdict.against:
        return "", ""
    return f"{verdict.against} {shown(verdict.target.figure, verdict.reference)}", f"{verdict.ratio:.2f}"


def _scenario(results: Results, scenario: str) -> str:
    names = figures(results, scenario)
    rounds = max((len(taken) for taken in results.rounds[scenario].values()), default=0)
    lines = [f"{scenario}: {SCENARIOS[scenario].title} (median of {rounds}; ± half of the whole spread)"]
    for server in ranked(results, scenario):
        cells = [_cell(results, scenario, server, figure) for figure in names]
        trouble = results.trouble(scenario, server)
        lines.append(f"  {server:10} " + "  ".join(cells) + (f"  ({trouble})" if trouble else ""))
    return "\n".join(lines)


def _cell(results: Results, scenario: str, server: str, figure: str) -> str:
    summary = results.summary(scenario, server, figure)
    if not summary:
        return f"{figure} -"
    spread = f" ±{summary.spread * 50:.0f}%" if figure == "cpu_us" else ""
    return f"{figure} {shown(figure, summary.median)}{spread}"


def _targets(results: Results) -> str:
    lines = ["targets:"]
    for verdict in verdicts(results):
        target = verdict.target
        reference, ratio = judged(verdict)
        mark = "pass" if verdict.passed else "FAIL"
        value = shown(target.figure, verdict.value)
        lines.append(
            f"  {mark}  {target.scenario:13} {target.figure:14} {value:>9}  {target.bound():38} {ratio:5} {reference}"
        )
    return "\n".join(lines)
