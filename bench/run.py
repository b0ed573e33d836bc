"""Measures this build: CPU per request, rate and memory. `make bench`, or with the names of scenarios.

The figure that a noisy machine leaves alone is the server's CPU time per request: user and system time of all its
processes, over the requests that were answered. One worker, pinned to the first core; the load (wrk) to the second.
Rounds of all scenarios alternate, and the median of the rounds is shown. Results go to bench/results/.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

BENCH = Path(__file__).resolve().parent
TAPSTER = Path(sys.executable).with_name("tapster")
ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = int(os.environ.get("SECONDS_EACH", "4"))
TICKS = os.sysconf("SC_CLK_TCK")
SERVER_CORE, LOAD_CORE = "0", "1"


@dataclass(frozen=True)
class Scenario:
    """One application, how many threads serve it, and what wrk does to it."""

    app: str
    threads: int
    connections: int
    script: str = ""


SCENARIOS = {
    "hello": Scenario("hello", threads=1, connections=64),
    "hello-threads": Scenario("hello", threads=32, connections=64),
    "close": Scenario("hello", threads=1, connections=64, script='wrk.headers["Connection"]="close"'),
    "flask": Scenario("flask_app", threads=4, connections=64),
    "sleep10ms": Scenario("sleepy", threads=64, connections=64),
    "upload64k": Scenario(
        "echo", threads=1, connections=16, script='wrk.method="POST";wrk.body=string.rep("x",65536)'
    ),
    "download1m": Scenario("big", threads=1, connections=16),
}


@dataclass(frozen=True)
class Round:
    """What one round showed."""

    cpu_micros: float
    rate: float
    p99_millis: float
    memory_mib: float


def main() -> None:
    """Runs the scenarios that were named, or all, and prints a table."""
    names = sys.argv[1:] or list(SCENARIOS)
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown:
        sys.exit(f"no such scenario: {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    for tool, package in (("wrk", "wrk"), ("taskset", "util-linux")):
        if not shutil.which(tool):
            sys.exit(f"{tool} is missing: apt-get install {package}")
    rounds: dict[str, list[Round]] = {name: [] for name in names}
    for number in range(ROUNDS):
        for name in names:
            rounds[name].append(measure(SCENARIOS[name]))
            print(
                f"round {number + 1}/{ROUNDS} {name}: {rounds[name][-1].cpu_micros:.1f} µs", file=sys.stderr
            )
    report(rounds)


def measure(scenario: Scenario) -> Round:
    """Starts a server, warms it up, loads it, and stops it."""
    command = ["taskset", "-c", SERVER_CORE, str(TAPSTER), f"{scenario.app}:app", "--bind", "127.0.0.1:0"]
    command += ["--workers", "1", "--threads", str(scenario.threads)]
    server = subprocess.Popen(command, cwd=BENCH / "apps", stderr=subprocess.PIPE, text=True)
    try:
        url = address(server)
        load(url, scenario, 1)
        before = cpu_seconds(server.pid)
        answered, rate, p99 = load(url, scenario, SECONDS)
        cpu = cpu_seconds(server.pid) - before
        return Round(cpu / answered * 1e6, rate, p99, memory_mib(server.pid))
    finally:
        server.terminate()
        server.communicate(timeout=40)


def address(server: subprocess.Popen[str]) -> str:
    """The address in the start-up lines, once the server is ready."""
    url = ""
    assert server.stderr is not None
    for line in server.stderr:
        found = re.search(r"listening on (http://\S+)", line)
        url = found.group(1) if found else url
        if re.search(r"\bready\b", line):
            return url
    sys.exit("the server did not start")


def load(url: str, scenario: Scenario, seconds: int) -> tuple[int, float, float]:
    """Requests answered, requests a second, and the 99th percentile in milliseconds."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(scenario.script)
        script.flush()
        command = ["taskset", "-c", LOAD_CORE, "wrk", "--latency", "-t1", f"-c{scenario.connections}"]
        command += [f"-d{seconds}s", "-s", script.name, url]
        shown = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    if "Non-2xx" in shown or "Socket errors" in shown:
        sys.exit(f"wrong answers:\n{shown}")
    answered = int(_figure(r"(\d+) requests in", shown))
    number, unit = re.findall(r"99%\s+([\d.]+)(us|ms|s)", shown)[0]
    millis = float(number) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit]
    return answered, float(_figure(r"Requests/sec:\s+([\d.]+)", shown)), millis


def _figure(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if not found:
        sys.exit(f"wrk said something unexpected:\n{text}")
    return found.group(1)


def processes(pid: int) -> list[int]:
    """A process and all that come from it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8").split()
    return [pid, *(found for child in children for found in processes(int(child)))]


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and all that come from it."""
    stats = [
        Path(f"/proc/{found}/stat").read_text("utf-8").rsplit(")", 1)[1].split() for found in processes(pid)
    ]
    return sum(int(fields[11]) + int(fields[12]) for fields in stats) / TICKS


def memory_mib(pid: int) -> float:
    """Memory of all processes, what they share counted once (PSS)."""
    rollups = [Path(f"/proc/{found}/smaps_rollup").read_text("utf-8") for found in processes(pid)]
    return sum(int(_figure(r"Pss:\s+(\d+)", text)) for text in rollups) / 1024


def report(rounds: dict[str, list[Round]]) -> None:
    """Prints the medians and keeps every figure."""
    print(
        f"{'scenario':14} {'CPU µs':>8} {'req/s':>9} {'p99 ms':>8} {'PSS MiB':>8}   {ROUNDS} rounds of {SECONDS} s"
    )
    for name, measured in rounds.items():
        cpu, rate, p99, memory = (
            statistics.median(getattr(one, field) for one in measured)
            for field in ("cpu_micros", "rate", "p99_millis", "memory_mib")
        )
        print(f"{name:14} {cpu:8.1f} {rate:9.0f} {p99:8.2f} {memory:8.1f}")
    results = BENCH / "results"
    results.mkdir(exist_ok=True)
    about = {"kernel": platform.release(), "python": platform.python_version(), "cores": os.cpu_count()}
    raw = {name: [asdict(one) for one in measured] for name, measured in rounds.items()}
    path = results / f"{time.strftime('%Y-%m-%d-%H%M%S')}.json"
    path.write_text(json.dumps({"machine": about, "rounds": raw}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
