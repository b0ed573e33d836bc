"""System calls per request, by strace, on keep-alive connections. It may attach to what it did not start: root can."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import h2load, procfs
from bench.child import SERVER_CORE, MeasurementError, last_words, pinned
from bench.results import Round
from bench.serving import serving

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from bench.serving import Job

#: What calls are for. What is not here counts as `other`.
_KINDS = {
    "reads": {"read", "recvfrom", "recvmsg", "readv"},
    "writes": {"write", "sendto", "sendmsg", "writev", "sendfile"},
    "polls": {"epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "select", "pselect6"},
    "futexes": {"futex"},
}


@dataclass(frozen=True)
class Syscalls:
    """So many requests over so many connections; opening those has a share in the figure."""

    requests: int
    connections: int

    def __call__(self, job: Job) -> Round:
        """Attaches after the first requests, counts, detaches."""
        with serving(job) as server:
            h2load.send(server.port, self.connections * 10, self.connections, job.folder)
            summary = job.folder / "strace.txt"
            with _attached(server.pid, summary, job.folder / "strace.log"):
                seen = h2load.send(server.port, self.requests, self.connections, job.folder)
        if seen.failed:
            raise MeasurementError(f"{seen.failed} of {self.requests} requests failed under strace")
        calls = parse(summary.read_text("utf-8"))
        figures = {"syscalls": sum(calls.values()) / seen.answered}
        for kind, names in _KINDS.items():
            figures[kind] = sum(calls.get(name, 0) for name in names) / seen.answered
        return Round(figures)


@contextmanager
def _attached(pid: int, summary: Path, log: Path) -> Generator[None]:
    """Traces every thread of the tree while the block runs."""
    command = ["strace", "-f", "-c", "-U", "calls,name", "-o", str(summary)]
    for process in procfs.tree(pid):
        command += ["-p", str(process)]
    with log.open("wb") as output:
        # On the server's core, where it runs while the server is stopped for it. On that of the load a stop would
        # last until the load gives way, and a call would look as if it blocked.
        tracer = subprocess.Popen(pinned(SERVER_CORE, command), stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 10
        while not procfs.is_traced(pid):
            if tracer.poll() is not None or time.monotonic() > deadline:
                raise MeasurementError(f"strace could not attach: {last_words(log)}")
            time.sleep(0.005)
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(10)


def parse(summary: str) -> dict[str, int]:
    """Calls by name, from strace's summary."""
    rows = re.findall(r"^\s*(\d+)\s+([a-z_0-9]+)\s*$", summary, re.MULTILINE)
    return {name: int(count) for count, name in rows if name != "total"}
