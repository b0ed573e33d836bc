"""The command: `python -m tests.faults [--server NAME] [--only F01,F09] [--full] [--keep]`, or `--page`."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from tests.faults import report
from tests.faults.kinds import KINDS
from tests.faults.list import FAULTS
from tests.faults.play import FAILED, Result, played


def main() -> None:
    """Plays, prints each result as it comes, and ends with 1 if anything failed."""
    arguments = _parser().parse_args()
    # The servers are stopped on the way out, however the runner is told to go.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    if arguments.page:
        return report.write_page()
    servers = _chosen("server", arguments.server, list(KINDS))
    faults = _chosen("fault", arguments.only, list(FAULTS)) if arguments.only else list(FAULTS)
    for name in servers:
        if missing := KINDS[name].missing():
            sys.exit(missing)
    results: list[Result] = []
    for number in faults:
        for name in servers:
            with tempfile.TemporaryDirectory(prefix="faults-") as directory:
                result = played(FAULTS[number], KINDS[name], Path(directory), arguments.full)
            print(result, flush=True)
            results.append(result)
            if arguments.keep:
                report.add([result])
    sys.exit(any(result.verdict == FAILED for result in results))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--server", default="tapster", help=f"of {', '.join(KINDS)}; several with a comma")
    parser.add_argument("--only", help="faults, with a comma between them; default: all")
    parser.add_argument("--full", action="store_true", help="full times and rounds")
    parser.add_argument("--keep", action="store_true", help="keep the results in tests/faults/results.json")
    parser.add_argument("--page", action="store_true", help="put the kept results into docs/reliability.md")
    return parser


def _chosen(what: str, given: str, known: list[str]) -> list[str]:
    chosen = given.split(",")
    unknown = [name for name in chosen if name not in known]
    if unknown:
        sys.exit(f"no such {what}: {', '.join(unknown)}; there are {', '.join(known)}")
    return chosen


if __name__ == "__main__":
    main()
