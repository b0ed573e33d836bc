"""One server with the faulty application: started in a folder of its own, asked about its processes, always stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.address import Address
from tests.faults.kinds import WORKERS
from tests.log import Log
from tests.server import APPS, environment
from tests.wire import Response, exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from tests.faults.kinds import Kind, Wish

BOOT = 30.0

VICTIM = """import sys
sys.path.insert(0, {apps!r})
{before}
from faulty import application, loaded
loaded()
VERSION = {version!r}
"""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Project:
    """The folder of the application: its code, which may be broken, and what it notes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "workers").mkdir(parents=True, exist_ok=True)
        self.write()

    def write(self, before: str = "", version: str = "1", apps: Path = APPS) -> None:
        """Code that works; `before` runs at its import."""
        self.replace(VICTIM.format(apps=str(apps), before=before, version=version))

    def replace(self, text: str) -> None:
        """Any text at all, seen whole or not at all."""
        new = self.directory / "victim.new"
        new.write_text(text)
        new.rename(self.directory / "victim.py")

    def noted(self) -> list[int]:
        """Processes that have imported the application, by the numbers that they know themselves by."""
        return [int(path.name) for path in (self.directory / "workers").iterdir()]

    def loaded(self) -> list[int]:
        """Living processes that have imported the application."""
        return sorted(pid for pid in self.noted() if is_alive(pid))

    def events(self, word: str) -> list[list[str]]:
        """What requests noted under this word."""
        path = self.directory / "log"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.split()[1:] for line in lines if line.split()[0] == word]


class Victim:
    """A server process in a process group of its own."""

    def __init__(
        self,
        kind: Kind,
        wish: Wish,
        project: Project,
        wrapper: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        output: int | None = None,
        own_numbers: bool = False,
    ) -> None:
        self.kind, self.wish, self.project = kind, wish, project
        # In a PID namespace of its own: what workers call themselves says nothing here.
        self._own_numbers = own_numbers
        self.address = (
            Address(path=wish.unix) if wish.unix else Address(host="127.0.0.1", port=wish.port or free_port())
        )
        self.process = subprocess.Popen(
            [*wrapper, *kind.command(self._placed())],
            cwd=project.directory,
            env={
                **environment(env),
                "PYTHONPATH": str(project.directory),
                "EVENTS": str(project.directory),
                "PYTHONUNBUFFERED": "1",
                # Every failure is to be found in the log, also one that only repeats another.
                "TAPSTER_LOG_REPEATS": "0",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if output is None else output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._logs = self.process.stdout is not None
        self.log = Log(self.process.stdout or os.fdopen(os.open(os.devnull, os.O_RDONLY), "rb"))

    @property
    def pid(self) -> int:
        """The master: the command itself, or what its wrapper started."""
        return self.process.pid

    def wait_ready(self, timeout: float = BOOT) -> None:
        """Until all workers have the application and answer."""
        if self.kind.ready and self._logs and not self.wish.log_file:
            self.log.wait_for(self.kind.ready, timeout=timeout)
        wanted = self.wish.workers if WORKERS in self.kind.features else 1
        booted = self.project.noted if self._own_numbers else self.workers
        eventually(lambda: len(booted()) >= wanted or self._ended(), timeout, "workers boot")
        eventually(lambda: self.answers() or self._ended(), timeout, "an answer comes")
        assert not self._ended(), f"{self.kind.name} ended at its start:\n{self.log.text()}"

    def workers(self) -> list[int]:
        """Processes that have loaded the application and live. Where they are the only process, that."""
        found = self.project.loaded()
        return [pid for pid in found if pid != self.pid] or found

    def answers(self, timeout: float = 2.0) -> bool:
        """Whether it answers a request now."""
        try:
            return self.get("/probe?n=0", timeout).status == 200
        except (OSError, AssertionError):
            return False

    def get(self, target: str, timeout: float = 10.0) -> Response:
        """One answer, on a connection of its own."""
        return exchange(
            self.address, http_request(target=target, fields={"Connection": "close"}), "GET", timeout
        )

    def send(self, number: signal.Signals) -> None:
        """A signal to the master, if there is one."""
        with suppress(ProcessLookupError):
            self.process.send_signal(number)

    def is_alive(self) -> bool:
        """Whether the master runs."""
        return not self._ended()

    def close(self) -> None:
        """Ends every process that belongs to it."""
        if self.is_alive():
            self.send(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(1.0)
        # Also those that outlived their master.
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()
        self.log.join()

    def __enter__(self) -> Victim:
        try:
            self.wait_ready()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ended(self) -> bool:
        return self.process.poll() is not None

    def _placed(self) -> Wish:
        return replace(self.wish, port=self.address.port)


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    return state(pid) not in ("", "Z", "X")


def state(pid: int) -> str:
    """The letter of /proc/PID/stat; empty if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="latin-1")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return text.rpartition(")")[2].split()[0]


def children(pid: int) -> list[int]:
    """Living children of a process."""
    return [child for child in _all() if _stat(child)[1:2] == [str(pid)] and is_alive(child)]


def _all() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="latin-1").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def eventually(holds: Callable[[], object], timeout: float, what: str) -> float:
    """Waits until something is so; how long it took."""
    start = time.monotonic()
    while not holds():
        assert time.monotonic() - start < timeout, f"not within {timeout:.1f} s: {what}"
        time.sleep(0.005)
    return time.monotonic() - start
