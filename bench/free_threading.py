"""What a second core is worth on a free-threaded CPython: hello on two cores against one, server and load together.

Run by hand, on a machine with nothing else to do and two cores to spare: `python bench/free_threading.py TAPSTER`, where
TAPSTER is the command of an installation (`make test-free-threaded` leaves .build/free-threaded/venv/bin/tapster). One
worker with two threads. First the whole system, the server and wrk with 64 connections, has the first core; then both
have the first two; then both have them, and the server has two workers with one thread each: what two processes that
share nothing come to, which is what the kernel and the processor make of a second core. Rounds alternate, and medians are
shown: requests a second, the server's CPU time (user and system) per request, and each rate over the first.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = int(os.environ.get("SECONDS_EACH", "4"))
CONNECTIONS = 64
TICKS = os.sysconf("SC_CLK_TCK")
APPS = Path(__file__).resolve().parent / "apps"


class Setting(NamedTuple):
    """How many cores the whole system has, and how the server uses them."""

    cores: int
    workers: int
    threads: int
    lanes: int


SETTINGS = {
    "one core": Setting(cores=1, workers=1, threads=2, lanes=1),
    "two cores, two lanes": Setting(cores=2, workers=1, threads=2, lanes=2),
    "two cores, two workers": Setting(cores=2, workers=2, threads=1, lanes=2),
}


class Round(NamedTuple):
    """What one round showed."""

    rate: float
    cpu_micros: float


def main() -> None:
    """Alternates between the settings, and prints the medians."""
    found = shutil.which(sys.argv[1]) if len(sys.argv) == 2 else None
    if found is None or not shutil.which("wrk"):
        sys.exit(f"usage: {sys.argv[0]} TAPSTER (and wrk must be installed)")
    tapster = str(Path(found).absolute())
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("this takes two cores")
    rounds: dict[str, list[Round]] = {name: [] for name in SETTINGS}
    for _ in range(ROUNDS):
        for name, measured in rounds.items():
            measured.append(measure(tapster, SETTINGS[name]))
            print(f"{name}: {measured[-1].rate:.0f} requests/s", file=sys.stderr)
    rates = {name: statistics.median(one.rate for one in measured) for name, measured in rounds.items()}
    for name, measured in rounds.items():
        cpu = statistics.median(one.cpu_micros for one in measured)
        worth = rates[name] / rates["one core"]
        print(f"{name:22} {rates[name]:8.0f} requests/s, {worth:.2f} of one core; {cpu:5.2f} µs of CPU each")
    print(f"{ROUNDS} rounds of {SECONDS} s")


def measure(tapster: str, setting: Setting) -> Round:
    """One server, one second to warm up, and one measured run."""
    cores = sorted(os.sched_getaffinity(0))[: setting.cores]
    pinned = ["taskset", "-c", ",".join(map(str, cores))]
    command = [*pinned, tapster, "hello:app", "--bind", "127.0.0.1:0"]
    command += ["--workers", str(setting.workers), "--threads", str(setting.threads)]
    server = subprocess.Popen(command, cwd=APPS, stderr=subprocess.PIPE, text=True)
    try:
        url = address(server, setting.lanes)
        load(pinned, url, setting.cores, 1)
        before = cpu_seconds(server.pid)
        answered, rate = load(pinned, url, setting.cores, SECONDS)
        return Round(rate, (cpu_seconds(server.pid) - before) / answered * 1e6)
    finally:
        server.terminate()
        server.communicate(timeout=40)


def address(server: subprocess.Popen[str], wanted: int) -> str:
    """The address in the start-up lines, once the server is ready. Each core must have a lane."""
    assert server.stderr is not None
    shown = ""
    for line in server.stderr:
        shown += line
        if re.search(r"\bready after\b", line):
            break
    url = re.search(r"listening on (http://\S+)", shown)
    if url is None:
        sys.exit(f"the server did not start:\n{shown}")
    give_up = time.monotonic() + 10.0
    while lanes(server.pid) != wanted:
        if time.monotonic() > give_up:
            sys.exit(f"this is no free-threaded CPython: it has not {wanted} lane(s)\n{shown}")
        time.sleep(0.01)
    return url[1]


def lanes(pid: int) -> int:
    """How many lanes the server has: one for each monitor."""
    tasks = [task for worker in children(pid) for task in Path(f"/proc/{worker}/task").glob("*/comm")]
    return [task.read_text("utf-8").strip() for task in tasks].count("tapster-monitor")


def load(pinned: list[str], url: str, threads: int, seconds: int) -> tuple[int, float]:
    """Requests answered, and requests a second."""
    command = [*pinned, "wrk", f"-t{threads}", f"-c{CONNECTIONS}", f"-d{seconds}s", url]
    shown = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    answered, rate = re.search(r"(\d+) requests in", shown), re.search(r"Requests/sec:\s+([\d.]+)", shown)
    if answered is None or rate is None or "Non-2xx" in shown or "Socket errors" in shown:
        sys.exit(f"wrong answers:\n{shown}")
    return int(answered[1]), float(rate[1])


def children(pid: int) -> list[str]:
    """The processes that a process has started."""
    return Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8").split()


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and all that come from it."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS + sum(
        cpu_seconds(int(child)) for child in children(pid)
    )


if __name__ == "__main__":
    main()
