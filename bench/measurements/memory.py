"""Memory of all processes: idle after one request, and what each idle keep-alive connection adds."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import http_client, procfs
from bench.results import Round
from bench.serving import serving

if TYPE_CHECKING:
    from bench.serving import Job


@dataclass(frozen=True)
class Idle:
    """What the server takes when it has nothing to do: PSS, what processes share counted once."""

    def __call__(self, job: Job) -> Round:
        """After its first answer."""
        with serving(job) as server:
            processes = len(procfs.tree(server.pid))
            return Round({"pss_mib": procfs.memory_kib(server.pid) / 1024, "processes": processes})


@dataclass(frozen=True)
class Connections:
    """What so many idle connections add to heap and stacks. The kernel's own buffers are not in it."""

    count: int

    def __call__(self, job: Job) -> Round:
        """Each connection has had one request answered."""
        _allow_descriptors(self.count + 1000)
        with serving(job) as server:
            before = procfs.memory_kib(server.pid, "Pss_Anon")
            with http_client.held_open(server.port, self.count):
                added = procfs.memory_kib(server.pid, "Pss_Anon") - before
        return Round({"connection_kib": added / self.count})


def _allow_descriptors(wanted: int) -> None:
    """For this process and the servers that it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
