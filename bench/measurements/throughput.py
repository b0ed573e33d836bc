"""Under load by wrk: the server's CPU time per request, its rate, its latency, its context switches per request."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import procfs
from bench.front import front
from bench.results import Round
from bench.serving import serving, serving_behind_nginx

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from bench.serving import Job, Serving
    from bench.wrk import Wrk


@dataclass(frozen=True)
class Throughput:
    """The load that is measured, and one beside it that is not."""

    load: Wrk
    beside: Wrk | None = None
    behind_nginx: bool = False
    #: What is measured is a front: Tapster's own or nginx.
    as_front: bool = False
    #: All that it answers with is in its cache.
    cached: bool = False

    def __call__(self, job: Job) -> Round:
        """Warms the server up for a second, then takes the figures."""
        with self._started(job) as server:
            self.load.load(server.port, 1, job.folder)
            others = (
                self.beside.beside(server.port, job.seconds + 30, job.folder)
                if self.beside
                else nullcontext()
            )
            with others:
                cpu, switches = procfs.cpu_seconds(server.pid), procfs.switches(server.pid)
                seen = self.load.load(server.port, job.seconds, job.folder)
                cpu = procfs.cpu_seconds(server.pid) - cpu
                switches = procfs.switches(server.pid) - switches
        return Round(
            {
                "cpu_us": cpu / seen.answered * 1e6,
                "rate": seen.rate,
                "p50_ms": seen.p50_ms,
                "p99_ms": seen.p99_ms,
                "switches": switches / seen.answered,
            },
            seen.trouble,
        )

    def _started(self, job: Job) -> AbstractContextManager[Serving]:
        if self.as_front:
            return front(job, self.cached)
        return serving_behind_nginx(job) if self.behind_nginx else serving(job)
