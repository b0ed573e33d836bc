"""What a server uses of the machine: processor time, memory, descriptors, in all its processes together."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults.servers import children

if TYPE_CHECKING:
    from tests.faults.servers import Victim


def processes(victim: Victim) -> list[int]:
    """The master, its workers, and whatever else it started."""
    return sorted({victim.pid, *victim.workers(), *children(victim.pid)})


def cpu_seconds(victim: Victim) -> float:
    """What all its processes have used so far, to about 10 ms."""
    return sum(map(cpu_of, processes(victim)))


def cpu_of(pid: int) -> float:
    """What one process has used so far."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="latin-1")
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def own_memory(victim: Victim) -> int:
    """Bytes of heap and stacks, what processes share counted once."""
    total = 0
    for pid in processes(victim):
        with suppress(FileNotFoundError, ProcessLookupError):
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += int(rollup.partition("\nPss_Anon:")[2].split()[0]) * 1024
    return total


def descriptors(pid: int) -> int:
    """How many a process has open."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except (FileNotFoundError, ProcessLookupError):
        return 0
