"""What the kernel counts for a running server, in all its processes together: context switches, CPU time, memory."""

from __future__ import annotations

import os
import re
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


def waits(server: Server) -> int:
    """How often a thread has gone to sleep so far: it woke up as often."""
    total = 0
    for pid, thread in threads(server):
        with suppress(FileNotFoundError):
            status = Path(f"/proc/{pid}/task/{thread}/status").read_text()
            total += sum(int(count) for count in re.findall(r"\nvoluntary_ctxt_switches:\s*(\d+)", status))
    return total


def cpu_seconds(server: Server) -> float:
    """What all threads have used so far, to the nanosecond."""
    total = 0
    for pid, thread in threads(server):
        with suppress(FileNotFoundError):
            total += int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[0])
    return total / 1e9


def own_memory(server: Server) -> int:
    """Bytes of heap and stacks, what processes share counted once."""
    rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in [server.pid, *server.worker_pids()]]
    return sum(int(size) * 1024 for text in rollups for size in re.findall(r"\nPss_Anon:\s*(\d+) kB", text))


def resident(pid: int) -> int:
    """Bytes of one process that are in memory, what it shares included."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
