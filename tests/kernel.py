"""What the kernel counts for a running server, in all its processes together: context switches, CPU time, memory."""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server import Server


def threads(server: Server) -> Iterator[tuple[int, int]]:
    """Process and number of every thread."""
    for pid in [server.pid, *server.worker_pids()]:
        for thread in os.listdir(f"/proc/{pid}/task"):
            yield pid, int(thread)


def wait_until_stopped(pid: int) -> None:
    """Waits until no thread of a process that was sent SIGSTOP runs any more."""

    def states() -> set[str]:
        return {
            stat.read_text().rpartition(")")[2].split()[0]
            for stat in Path(f"/proc/{pid}/task").glob("*/stat")
        }

    deadline = time.monotonic() + 20.0
    while states() != {"T"}:
        assert time.monotonic() < deadline, f"process {pid} does not stop: {states()}"
        time.sleep(0.005)


def waits(server: Server, without: str | None = None) -> int:
    """How often a thread has gone to sleep so far: it woke up as often. Threads of one name may be left out."""
    total = 0
    for pid, thread in threads(server):
        with suppress(FileNotFoundError):
            status = Path(f"/proc/{pid}/task/{thread}/status").read_text()
            if without and status.startswith(f"Name:\t{without}\n"):
                continue
            total += sum(int(count) for count in re.findall(r"\nvoluntary_ctxt_switches:\s*(\d+)", status))
    return total


def cpu_seconds(server: Server) -> float:
    """What all threads have used so far, to the nanosecond."""
    total = 0
    for pid, thread in threads(server):
        with suppress(FileNotFoundError):
            total += int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[0])
    return total / 1e9


def assert_asleep(server: Server, seconds: float = 1.0) -> None:
    """Its processes use less than a hundredth of a processor, in the calmest of three times."""
    used: list[float] = []
    for _ in range(3):
        before = cpu_seconds(server)
        time.sleep(seconds)
        used.append(cpu_seconds(server) - before)
        if used[-1] < 0.01 * seconds:
            return
    raise AssertionError(used)


def own_memory(server: Server) -> int:
    """Bytes of heap and stacks, what processes share counted once."""
    rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in [server.pid, *server.worker_pids()]]
    return sum(int(size) * 1024 for text in rollups for size in re.findall(r"\nPss_Anon:\s*(\d+) kB", text))


def resident(pid: int) -> int:
    """Bytes of one process that are in memory, what it shares included."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
