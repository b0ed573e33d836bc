"""What a further worker of Django costs in memory, with `--preload` and without: the figures of docs/preload.md.

    python -m bench.preload_memory [REQUESTS]

Starts `tapster` (or TAPSTER_COMMAND) on examples/django with 1 and with 4 workers, sends each worker REQUESTS requests
(none by default), and adds up the proportional set size (PSS) of all processes but the supervisor.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

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


def size_of(workers: int, requests: int, *options: str) -> int:
    """PSS of the template and all workers together, in KiB."""
    with server(workers, *options) as (pid, url):
        for _ in range(requests * workers):
            urllib.request.urlopen(f"{url}/admin/login/", timeout=30).read()
        return sum(map(proportional_size, children_of(pid)))


def main() -> None:
    """Print a line for each way of starting."""
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    lazy, preloaded = (
        (size_of(4, requests, *options) - size_of(1, requests, *options)) / 3 / 1024
        for options in ((), ("--preload",))
    )
    print(
        f"after {requests} requests each: {lazy:.1f} MiB per further worker, with --preload {preloaded:.1f} MiB"
    )
    print(f"that is {preloaded / lazy:.2f} of it")


if __name__ == "__main__":
    main()
