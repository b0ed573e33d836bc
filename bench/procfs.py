"""What the kernel says of a process and all that come from it: CPU time, memory, context switches."""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from pathlib import Path

#: What a process that ends meanwhile leads to.
_GONE = (FileNotFoundError, ProcessLookupError, PermissionError)


def tree(pid: int) -> list[int]:
    """A process and all that come from it."""
    found = [pid]
    for thread in threads(pid):
        with suppress(*_GONE):
            children = Path(f"/proc/{pid}/task/{thread}/children").read_text("utf-8")
            for child in children.split():
                found += tree(int(child))
    return found


def threads(pid: int) -> list[int]:
    """The threads of one process."""
    try:
        return [int(name) for name in os.listdir(f"/proc/{pid}/task")]
    except _GONE:
        return []


def cpu_seconds(pid: int) -> float:
    """User and system time of the whole tree, to the nanosecond.

    By each process's CPU-time clock, whose number follows from its own: what clock_getcpuclockid(3) does.
    """
    total = 0.0
    for process in tree(pid):
        with suppress(OSError):
            total += time.clock_gettime(~process << 3 | 2)
    return total


def memory_kib(pid: int, kind: str = "Pss") -> int:
    """Memory of the whole tree, what processes share counted once (`Pss`), or of that only the heap and
    stacks (`Pss_Anon`)."""
    total = 0
    for process in tree(pid):
        with suppress(*_GONE):
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text("utf-8")
            total += sum(int(size) for size in re.findall(rf"^{kind}:\s+(\d+) kB", rollup, re.MULTILINE))
    return total


def switches(pid: int, kinds: str = "(?:non)?voluntary") -> int:
    """How often threads of the tree that still run have left the CPU; `voluntary` ones waited for something."""
    total = 0
    for process in tree(pid):
        for thread in threads(process):
            with suppress(*_GONE):
                status = Path(f"/proc/{process}/task/{thread}/status").read_text("utf-8")
                counts = re.findall(rf"^{kinds}_ctxt_switches:\s+(\d+)", status, re.MULTILINE)
                total += sum(int(count) for count in counts)
    return total


def is_traced(pid: int) -> bool:
    """Whether a tracer has every thread of the tree."""
    for process in tree(pid):
        for thread in threads(process):
            with suppress(*_GONE):
                status = Path(f"/proc/{process}/task/{thread}/status").read_text("utf-8")
                if re.search(r"^TracerPid:\s+0$", status, re.MULTILINE):
                    return False
    return True
