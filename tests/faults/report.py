"""The table of faults and servers, as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.faults.list import FAULTS
from tests.faults.play import PASSED, Result

if TYPE_CHECKING:
    from collections.abc import Sequence


def markdown(results: Sequence[Result], servers: Sequence[str]) -> str:
    """A row for each fault, a column for each server; what was missed, by name."""
    found = {(result.fault, result.server): result for result in results}
    rows = [f"| | fault | {' | '.join(servers)} |", f"|---|---|{'---|' * len(servers)}"]
    for number in dict.fromkeys(result.fault for result in results):
        cells = [_cell(found[number, server]) for server in servers]
        rows.append(f"| {number} | {FAULTS[number].title} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _cell(result: Result) -> str:
    if result.verdict == PASSED:
        return "passed"
    missed = [f"{check.what}: {check.found}" for check in result.checks if not check.passed]
    reason = result.why.partition("\n")[0]
    told = "; ".join([*missed, *([reason] if reason else [])]).replace("|", "/")
    return f"{result.verdict}: {told}" if told else result.verdict
