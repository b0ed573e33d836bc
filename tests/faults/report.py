"""What was found, kept as JSON, and the tables of docs/reliability.md that are made from it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.faults.kinds import KINDS
from tests.faults.list import FAULTS
from tests.faults.play import FAILED, NOT_AVAILABLE, PASSED, Check, Result
from tests.server import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE = REPOSITORY / "docs" / "reliability.md"
RESULTS = Path(__file__).with_name("results.json")
#: Between these lines of the page stands what is made here.
BEGIN, END = "<!-- made by `python -m tests.faults --page` -->", "<!-- end of what is made -->"

_MARKS = {PASSED: "passed", NOT_AVAILABLE: "n/a", FAILED: "**failed**"}

Results = dict[tuple[str, str], Result]


def read(path: Path = RESULTS) -> Results:
    """What is kept; nothing where there is no file."""
    rows: list[dict[str, Any]] = json.loads(path.read_text("utf-8")) if path.exists() else []
    found: Results = {}
    for row in rows:
        row["checks"] = tuple(Check(**check) for check in row["checks"])
        result = Result(**row)
        found[result.fault, result.server] = result
    return found


def add(results: Sequence[Result], path: Path = RESULTS) -> None:
    """Keeps results; those of the same fault and server before are replaced."""
    kept = read(path) | {(result.fault, result.server): _short(result) for result in results}
    rows = [asdict(kept[key]) for key in sorted(kept)]
    path.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _short(result: Result) -> Result:
    """Without the log, rounded."""
    why = result.why.partition("\n")[0][:200]
    return Result(result.fault, result.server, result.verdict, result.checks, round(result.seconds, 1), why)


def tables(found: Results) -> str:
    """A row for each fault and a column for each server; then what each server missed."""
    servers = [name for name in KINDS if any(server == name for _, server in found)]
    rows = [f"| | fault | {' | '.join(servers)} |", f"|---|---|{'---|' * len(servers)}"]
    for number, fault in FAULTS.items():
        cells = [_mark(found.get((number, server))) for server in servers]
        rows.append(f"| {number} | {fault.title} | {' | '.join(cells)} |")
    missed = ["", "What was missed:", "", "| | server | found |", "|---|---|---|"]
    for number in FAULTS:
        for server in servers:
            result = found.get((number, server))
            if result and result.verdict == FAILED:
                missed.append(f"| {number} | {server} | {_missed(result)} |")
    return "\n".join([*rows, *missed]) + "\n"


def write_page(path: Path = PAGE) -> None:
    """Puts the tables into the page."""
    before, _, rest = path.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n\n{tables(read())}\n{END}{after}", "utf-8")


def _mark(result: Result | None) -> str:
    return _MARKS[result.verdict] if result else ""


def _missed(result: Result) -> str:
    # The last of those that are checked again and again.
    last = {check.what: check.found for check in result.checks if not check.passed}
    told = [f"{what}: {found}" for what, found in last.items()]
    text = "; ".join([*told, *([result.why] if result.why else [])])
    return text.replace("|", "/").replace("\n", " ")[:300]
