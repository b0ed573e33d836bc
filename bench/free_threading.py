"""What a second core is worth on a free-threaded CPython: hello on two cores against one, server and load together.

Run by hand, on a machine with nothing else to do and two cores to spare: `python bench/free_threading.py TAPSTER`, where
TAPSTER is the command of an installation (`make test-free-threaded` leaves .build/free-threaded/venv/bin/tapster). One
worker with two threads. First the whole system, the server and wrk with 64 connections, has the first core; then both
have the first two; then both have them, and the server has two workers with one thread each: what two processes that
share nothing come to, which is what the kernel and the processor make of a second core. Rounds alternate, and medians are
shown: requests a second, the server's CPU time (user and system) per request, and what the cores would answer if nobody
else had them: requests over the time that server and load had of the cores or left idle, which other processes on the
machine do not change. The last column is that over the first line's.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from bench.procfs import cpu_seconds

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
    undisturbed: float


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
    alone = {
        name: statistics.median(one.undisturbed for one in measured) for name, measured in rounds.items()
    }
    for name, measured in rounds.items():
        rate, cpu, _ = map(statistics.median, zip(*measured))
        worth = alone[name] / alone["one core"]
        shown = f"{rate:8.0f} requests/s, {cpu:5.2f} µs of CPU each"
        print(f"{name:22} {shown}; undisturbed {alone[name]:8.0f} requests/s, {worth:.2f} of one core")
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
        idle, before, of_load = idle_seconds(cores), cpu_seconds(server.pid), load_seconds()
        answered, rate = load(pinned, url, setting.cores, SECONDS)
        idle, used = idle_seconds(cores) - idle, cpu_seconds(server.pid) - before
        ours = used + load_seconds() - of_load + idle
        return Round(rate, used / answered * 1e6, setting.cores * answered / ours)
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


def load_seconds() -> float:
    """User and system time of the runs of wrk so far, and of nothing else: servers have ended before, or run still."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def idle_seconds(cores: list[int]) -> float:
    """How long cores have had nothing to do."""
    lines = Path("/proc/stat").read_text("utf-8").splitlines()
    fields = {line.split()[0]: line.split() for line in lines}
    return sum(int(fields[f"cpu{core}"][4]) + int(fields[f"cpu{core}"][5]) for core in cores) / TICKS


if __name__ == "__main__":
    main()
