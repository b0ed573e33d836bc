"""The command: `python -m bench run [SCENARIO…]`, `python -m bench page [RESULTS]`. The Makefile calls it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from bench import machine, page, rounds, table
from bench.contenders import CONTENDERS
from bench.results import RUNS, Results, newest
from bench.scenarios import SCENARIOS


def main() -> None:
    """Does what the arguments ask for."""
    arguments = _parser().parse_args()
    # The children are stopped on the way out, however the runner is told to go.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    if arguments.verb == "run":
        _run(arguments.scenarios, arguments.into, _names("PEERS", list(CONTENDERS)))
    elif arguments.verb == "show":
        print(table.text(Results.read(arguments.results or newest())))
    else:
        page.write(arguments.results or newest())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="measure; ROUNDS, SECONDS_EACH, PEERS and TAPSTER in the environment")
    run.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"of {', '.join(SCENARIOS)}")
    run.add_argument(
        "--into", type=Path, help="a file of raw results to add to; scenarios in it are replaced"
    )
    show = verbs.add_parser("show", help="print the raw results as tables")
    show.add_argument("results", nargs="?", type=Path)
    make = verbs.add_parser("page", help="publish a run: write docs/performance.md and its chart")
    make.add_argument("results", nargs="?", type=Path, help="default: the newest")
    return parser


def _run(scenarios: list[str], into: Path | None, contenders: list[str]) -> None:
    unknown = [name for name in scenarios if name not in SCENARIOS]
    if unknown:
        sys.exit(f"no such scenario: {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    machine.require_tools()
    settings = rounds.Settings(_number("ROUNDS", 5), _number("SECONDS_EACH", 3))
    path = into or RUNS / f"{machine.now():%Y-%m-%d-%H%M%S}.json"
    results = rounds.run(scenarios or list(SCENARIOS), contenders, settings, path)
    print(table.text(results))
    print(f"\nraw results: {path}")


def _number(variable: str, default: int) -> int:
    given = os.environ.get(variable) or str(default)
    if not given.isdigit() or int(given) < 1:
        sys.exit(f"{variable}={given} is not a number from 1")
    return int(given)


def _names(variable: str, known: list[str]) -> list[str]:
    chosen = os.environ.get(variable, "").replace(",", " ").split() or known
    unknown = [name for name in chosen if name not in known]
    if unknown:
        sys.exit(f"{variable}: no {', '.join(unknown)}; there are {', '.join(known)}")
    return chosen


if __name__ == "__main__":
    main()
