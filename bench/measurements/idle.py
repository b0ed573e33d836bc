"""Wake-ups of a server that has nothing to do: what it costs a battery, a small machine, a crowded host."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import http_client, procfs
from bench.results import Round
from bench.serving import serving

if TYPE_CHECKING:
    from bench.serving import Job


@dataclass(frozen=True)
class Wakeups:
    """How often a thread woke up to wait again, in all processes, in so many seconds."""

    seconds: int

    def __call__(self, job: Job) -> Round:
        """One connection idles; the second before gives the end of the start its time."""
        with serving(job) as server, http_client.held_open(server.port, 1):
            time.sleep(1)
            before = procfs.switches(server.pid, "voluntary")
            time.sleep(self.seconds)
            woken = procfs.switches(server.pid, "voluntary") - before
        return Round({"wakeups": woken / self.seconds})
