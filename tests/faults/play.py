"""How a fault is written down, played to one server, and judged.

A fault is a function with a table of numbers: its sizes (short, full) and its limits. It starts servers and probers
through the `Play` that it is given, and states what it found; each statement is held against a limit of its table.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Callable

from tests.faults.prober import Prober
from tests.faults.servers import Project, Victim

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from pathlib import Path

    from tests.faults.kinds import Kind, Wish

PASSED, FAILED, NOT_AVAILABLE = "passed", "failed", "not available"

#: What times are multiplied with in a short run, which shares its machine with others.
SHORT_PATIENCE = 4.0


@dataclass(frozen=True)
class Check:
    """One criterion and what was found."""

    what: str
    found: str
    limit: str
    passed: bool

    def __str__(self) -> str:
        return f"{'ok ' if self.passed else 'BAD'} {self.what}: {self.found} (limit: {self.limit})"


@dataclass(frozen=True)
class Result:
    """How a server bore a fault."""

    fault: str
    server: str
    verdict: str
    checks: tuple[Check, ...]
    seconds: float
    why: str = ""

    def __str__(self) -> str:
        lines = [f"{self.fault} {self.server}: {self.verdict} in {self.seconds:.1f} s {self.why}".rstrip()]
        return "\n    ".join([*lines, *map(str, self.checks)])


@dataclass(frozen=True)
class Fault:
    """One fault of the list."""

    number: str
    title: str
    play: Callable[[Play], None]
    needs: frozenset[str]
    #: Name: what a short run does, and a full one.
    sizes: Mapping[str, tuple[float, float]]
    limits: Mapping[str, float]
    #: Whether its short run is short enough for every day.
    daily: bool


FAULTS: dict[str, Fault] = {}


def fault(
    number: str,
    title: str,
    needs: Sequence[str] = (),
    sizes: Mapping[str, tuple[float, float]] | None = None,
    limits: Mapping[str, float] | None = None,
    daily: bool = True,
) -> Callable[[Callable[[Play], None]], Callable[[Play], None]]:
    """Puts a function on the list."""

    def add(play: Callable[[Play], None]) -> Callable[[Play], None]:
        assert number not in FAULTS, number
        FAULTS[number] = Fault(number, title, play, frozenset(needs), sizes or {}, limits or {}, daily)
        return play

    return add


@dataclass
class Play:
    """One fault being played to one server."""

    fault: Fault
    kind: Kind
    directory: Path
    full: bool
    checks: list[Check] = field(default_factory=list[Check])
    #: The servers that were started.
    victims: list[Victim] = field(default_factory=list[Victim])

    def size(self, name: str) -> int:
        """A number of the table."""
        return round(self.seconds(name))

    def seconds(self, name: str) -> float:
        """A duration of the table."""
        short, full = self.fault.sizes[name]
        return full if self.full else short

    @property
    def patience(self) -> float:
        """What times are multiplied with."""
        return 1.0 if self.full else SHORT_PATIENCE

    @contextmanager
    def server(
        self, wish: Wish, project: Project | None = None, wrapper: Sequence[str] = (), **given: Any
    ) -> Generator[Victim]:
        """A ready server."""
        with self.start(wish, project, wrapper, **given) as victim:
            yield victim

    def start(
        self, wish: Wish, project: Project | None = None, wrapper: Sequence[str] = (), **given: Any
    ) -> Victim:
        """A server on its way; entering it waits until it is ready."""
        project = project or Project(self.directory / "project")
        victim = Victim(self.kind, wish, project, wrapper, **given)
        self.victims.append(victim)
        return victim

    def probing(self, victim: Victim, slow: float | None = None, rate: float = 200) -> Prober:
        """Probes beside the fault; an answer that takes more than `slow` seconds (1, in a full run) failed."""
        return Prober(victim.address, slow or self.patience, rate=rate)

    def as_before(self, now: float, before: float, floor: float) -> None:
        """A p99 that is at most so many times the one before. Below the floor it is the machine that is seen; a short run,
        whose machine may be busy, only tells whether anybody waited for a second."""
        allowed = max(self.limit("p99 against before") * before, floor if self.full else 1.0)
        self.check("p99", f"{now:.4f} s", f"{allowed:.4f} s ({before:.4f} s before)", now <= allowed)

    def at_most(self, what: str, found: float, note: str = "") -> None:
        """Found must not be above the limit of that name."""
        limit = self.fault.limits[what]
        self.check(what, f"{found:g}{note and f' ({note})'}", f"{limit:g}", found <= limit)

    def within(self, what: str, seconds: float) -> None:
        """A duration that must not be above the limit of that name; longer in a short run."""
        limit = self.fault.limits[what] * self.patience
        self.check(what, f"{seconds:.3g} s", f"{limit:g} s", seconds <= limit)

    def limit(self, what: str) -> float:
        """The time that a short or full run has for this."""
        return self.fault.limits[what] * self.patience

    def none_failed(self, prober: Prober) -> None:
        """No request failed that was not inside a dying worker."""
        failed = prober.failed()
        limit = int(self.fault.limits.get("failed requests", 0))
        self.check("failed requests", prober.told(), str(limit), len(failed) <= limit)

    def check(self, what: str, found: str, limit: str, passed: bool) -> None:
        """Any criterion."""
        self.checks.append(Check(what, found, limit, passed))


def played(fault: Fault, kind: Kind, directory: Path, full: bool) -> Result:
    """Plays one fault to one kind of server."""
    began = time.monotonic()
    play = Play(fault, kind, directory, full)
    lacks = sorted(fault.needs - kind.features)
    result = Result(fault.number, kind.name, NOT_AVAILABLE, (), 0.0, f"has no {lacks[0]}" if lacks else "")
    if lacks:
        return result
    why = ""
    try:
        fault.play(play)
    except (AssertionError, OSError, ValueError) as error:
        why = str(error) or type(error).__name__
    for panic in (line for victim in play.victims for line in victim.log.find("panicked at")):
        play.check("panics of the server", panic, "none", passed=False)
    fine = bool(play.checks) and not why and all(check.passed for check in play.checks)
    if not fine and play.victims:
        why += "\n--- its log\n" + "\n".join(play.victims[-1].log.lines()[-60:])
    return replace(
        result,
        verdict=PASSED if fine else FAILED,
        checks=tuple(play.checks),
        seconds=time.monotonic() - began,
        why=why,
    )
