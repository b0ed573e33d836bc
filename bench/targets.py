"""What Tapster has to show, and whether it did. Every comparison is within one scenario of one run but where it says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.contenders import CONTENDERS, FLOOR, SINGLE, THREADED
from bench.scenarios import SCENARIOS

if TYPE_CHECKING:
    from bench.results import Results

#: What "the best" is taken from.
BEST = "best peer"
BEST_SINGLE = "best single-threaded peer"
BEST_THREADED = "best threaded peer"
ONE_THREAD = "Tapster with one thread"


@dataclass(frozen=True)
class Target:
    """Tapster's figure is at most (or at least) `factor` times a reference; without one, the factor itself."""

    scenario: str
    figure: str
    factor: float
    reference: str = ""
    at_least: bool = False

    def bound(self) -> str:
        """The bound in words."""
        sign = "≥" if self.at_least else "≤"
        unit = "" if self.reference else f" {UNITS[self.figure][1]}".rstrip()
        of = f" \N{MULTIPLICATION SIGN} {self.reference}" if self.reference else ""
        return f"{sign} {self.factor:g}{unit}{of}"


#: Each figure's title, unit and digits behind the point.
UNITS: dict[str, tuple[str, str, int]] = {
    "cpu_us": ("CPU per request", "µs", 1),
    "rate": ("requests per second", "/s", 0),
    "p50_ms": ("median latency", "ms", 2),
    "p99_ms": ("99th percentile", "ms", 2),
    "switches": ("context switches per request", "", 2),
    "pss_mib": ("memory (PSS)", "MiB", 1),
    "processes": ("processes", "", 0),
    "connection_kib": ("memory per connection", "KiB", 2),
    "answer_ms": ("first answer", "ms", 0),
    "import_ms": ("import alone", "ms", 0),
    "added_ms": ("added by the server", "ms", 0),
    "syscalls": ("system calls per request", "", 2),
    "reads": ("of them reads", "", 2),
    "writes": ("writes", "", 2),
    "polls": ("polls", "", 2),
    "futexes": ("futexes", "", 2),
    "wakeups": ("wake-ups per second", "/s", 1),
}

TARGETS = (
    Target("hello", "cpu_us", 0.90, BEST_SINGLE),
    Target("hello", "cpu_us", 0.42, BEST_THREADED),
    Target("hello", "cpu_us", 1.25, FLOOR),
    Target("hello-threads", "cpu_us", 0.90, BEST_SINGLE),
    Target("hello-threads", "cpu_us", 0.42, BEST_THREADED),
    Target("hello-threads", "cpu_us", 1.25, FLOOR),
    Target("hello-threads", "cpu_us", 1.03, ONE_THREAD),
    Target("hello-threads", "switches", 0.2),
    Target("close", "cpu_us", 1.03, BEST),
    Target("flask", "cpu_us", 1.0, "bjoern"),
    Target("flask", "cpu_us", 0.80, "granian"),
    Target("sleep10ms", "rate", 1.0, BEST, at_least=True),
    Target("sleep10ms", "cpu_us", 0.80, BEST_THREADED),
    Target("upload64k", "cpu_us", 1.03, BEST),
    Target("download1m", "cpu_us", 1.03, BEST),
    Target("mixed", "cpu_us", 0.42, BEST_THREADED),
    Target("mixed", "rate", 2.0, BEST_THREADED, at_least=True),
    Target("mixed", "p99_ms", 0.6, "granian"),
    Target("mixed-rate", "p99_ms", 1.0, "uwsgi"),
    Target("uwsgi-nginx", "cpu_us", 0.75, "uwsgi"),
    Target("static1k", "cpu_us", 1.0, "nginx"),
    Target("static16k", "cpu_us", 1.0, "nginx"),
    Target("static10m", "cpu_us", 1.2, "nginx"),
    Target("proxy", "cpu_us", 1.15, "nginx"),
    Target("cache", "cpu_us", 1.2, "nginx"),
    Target("memory", "pss_mib", 0.6, "granian"),
    Target("connections", "connection_kib", 1.0),
    Target("start", "added_ms", 60),
    Target("syscalls", "syscalls", 2.5),
    Target("idle", "wakeups", 5),
)


@dataclass(frozen=True)
class Verdict:
    """What came of a target; without a reference's figure nothing can be said."""

    target: Target
    value: float
    #: Who the reference turned out to be, and its figure; empty where the bound is a number.
    against: str
    reference: float
    passed: bool

    @property
    def ratio(self) -> float:
        """Tapster's figure as a share of the reference's."""
        return self.value / self.reference


def verdicts(results: Results) -> list[Verdict]:
    """Of each target whose figures were measured."""
    found = (_verdict(results, target) for target in TARGETS)
    return [verdict for verdict in found if verdict]


def _verdict(results: Results, target: Target) -> Verdict | None:
    own = results.summary(target.scenario, "tapster", target.figure)
    reference = _reference(results, target) if target.reference else ("", 1.0)
    if own is None or reference is None:
        return None
    bound = target.factor * reference[1]
    passed = own.median >= bound if target.at_least else own.median <= bound
    return Verdict(target, own.median, reference[0], reference[1], passed)


def _reference(results: Results, target: Target) -> tuple[str, float] | None:
    """The server that the target speaks of, and its median."""
    if target.reference == ONE_THREAD:
        one = results.summary("hello", "tapster", target.figure)
        return ("tapster", one.median) if one else None
    medians = {
        name: summary.median
        for name in _candidates(target)
        if (summary := results.summary(target.scenario, name, target.figure))
    }
    if not medians:
        return None
    best = (max if target.at_least else min)(medians, key=lambda name: medians[name])
    return best, medians[best]


def _candidates(target: Target) -> list[str]:
    """Who may be the reference."""
    scenario = SCENARIOS[target.scenario]
    rooms = {name: CONTENDERS[name].room(scenario.threads) for name in scenario.contenders}
    wanted = {BEST_SINGLE: {SINGLE}, BEST_THREADED: {THREADED}, BEST: {SINGLE, THREADED}}.get(
        target.reference
    )
    if wanted is None:
        return [target.reference]
    return [name for name, room in rooms.items() if room in wanted and name != "tapster"]
