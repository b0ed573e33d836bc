"""What a further worker of Django costs in memory, alone, with `--preload`, and with `--refork-after`: the figures of
docs/preload.md.

    python -m bench.preload_memory [REQUESTS]

Starts `tapster` (or TAPSTER_COMMAND) on examples/django with 1 and with 4 workers, sends each worker REQUESTS requests
(none by default), and adds up the proportional set size (PSS) of all processes but the supervisor. With `--refork-after`
that begins when the workers have been forked from one that has answered as many requests.
"""

from __future__ import annotations

import http.client
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

TEMPLATE = "tapster-preload"
PRELOAD = ("--preload",)
REFORK = ("--preload", "--refork-after", "1000")

PROJECT = Path(__file__).resolve().parent.parent / "examples" / "django"


def children_of(parent: int) -> list[int]:
    """The template and the workers."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(status[1]) == parent:
                found.append(int(entry.name))
    return found


def proportional_size(pid: int) -> int:
    """PSS in KiB."""
    match = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
    assert match is not None
    return int(match[1])


@contextmanager
def server(workers: int, *options: str) -> Generator[tuple[int, str]]:
    """A ready server: its process number and its URL."""
    command = shlex.split(os.environ.get("TAPSTER_COMMAND", "tapster"))
    with tempfile.TemporaryDirectory() as directory:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TAPSTER_")}
        env = {**kept, "DJANGO_DATABASE": f"{directory}/db.sqlite3", "PYTHONDONTWRITEBYTECODE": ""}
        process = subprocess.Popen(
            [*command, "mysite.wsgi", "--workers", str(workers), "--bind", "127.0.0.1:0", *options],
            cwd=PROJECT,
            env=env,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        url, said = "", ""
        try:
            for line in process.stderr:
                said += line
                url = url or (match[0] if (match := re.search(r"http://127\.0\.0\.1:\d+", line)) else "")
                if re.search(r"\] (all \d+ workers )?ready after", line):
                    break
            else:
                raise RuntimeError(f"the server did not start:\n{said}")
            yield process.pid, url
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate()


class Clients:
    """Connections that stay, so many that each worker has some."""

    def __init__(self, url: str, workers: int) -> None:
        address = url.removeprefix("http://")
        self._connections = [http.client.HTTPConnection(address, timeout=30) for _ in range(8 * workers)]

    def send(self, requests: int) -> None:
        """Sends requests on one connection after the other."""
        for number in range(requests):
            connection = self._connections[number % len(self._connections)]
            connection.request("GET", "/admin/login/")
            assert connection.getresponse().read()


def template_of(supervisor: int) -> int:
    """The one process that forks workers; 0 while there are two."""
    found = [
        pid for pid in children_of(supervisor) if Path(f"/proc/{pid}/comm").read_text().strip() == TEMPLATE
    ]
    return found[0] if len(found) == 1 else 0


def wait_for_refork(supervisor: int, clients: Clients) -> None:
    """Sends requests until the workers are forks of one that has answered some, and those before it are gone."""
    imported = template_of(supervisor)
    deadline = time.monotonic() + 60
    while template_of(supervisor) in (imported, 0):
        assert time.monotonic() < deadline, "no worker became the template"
        clients.send(100)


def size_of(workers: int, requests: int, *options: str) -> int:
    """PSS of the template and all workers together, in KiB."""
    with server(workers, *options) as (pid, url):
        clients = Clients(url, workers)
        if "--refork-after" in options:
            wait_for_refork(pid, clients)
        clients.send(requests * workers)
        return sum(map(proportional_size, children_of(pid)))


def further_worker(requests: int, *options: str) -> float:
    """What a further worker costs, in MiB."""
    return (size_of(4, requests, *options) - size_of(1, requests, *options)) / 3 / 1024


def main() -> None:
    """Print a line for each way of starting."""
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    lazy = further_worker(requests)
    print(f"after {requests} requests each: {lazy:.1f} MiB for each further worker")
    for options in (PRELOAD, REFORK):
        size = further_worker(requests, *options)
        print(f"with {' '.join(options)} {size:.1f} MiB, which is {size / lazy:.2f} of it")


if __name__ == "__main__":
    main()
