"""At a fixed rate, which every server could keep up with: the latency when nobody is pushed to the limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import h2load, procfs
from bench.results import Round
from bench.serving import serving

if TYPE_CHECKING:
    from bench.serving import Job
    from bench.wrk import Wrk


@dataclass(frozen=True)
class FixedRate:
    """So many requests a second in all, and a load beside them."""

    rate: int
    connections: int
    beside: Wrk

    def __call__(self, job: Job) -> Round:
        """A second to warm up, then the figures of the fixed-rate requests alone."""
        with serving(job) as server, self.beside.beside(server.port, job.seconds + 60, job.folder):
            h2load.send_at_rate(server.port, self.rate, 1, self.connections, job.folder)
            cpu = procfs.cpu_seconds(server.pid)
            seen = h2load.send_at_rate(server.port, self.rate, job.seconds, self.connections, job.folder)
            cpu = procfs.cpu_seconds(server.pid) - cpu
        return Round(
            {
                "cpu_us": cpu / seen.answered * 1e6,
                "rate": seen.rate,
                "p50_ms": seen.p50_ms,
                "p99_ms": seen.p99_ms,
            },
            f"{seen.failed} failed" if seen.failed else "",
        )
