"""Starts the command under test as a child process, waits until it is ready, and always stops it.

The command is `tapster` beside the running interpreter, or what TAPSTER_COMMAND says.
"""

from __future__ import annotations

import os
import re
import select
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.address import Address, addresses_in
from tests.log import Log

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

APPS = Path(__file__).resolve().parent / "apps"
REPOSITORY = APPS.parent.parent
READY = r"(\] |\"message\":\")(all \d+ workers )?ready after"
LISTENING = r"\blistening on\b"

#: Every server that runs now: what a failing test is shown, and what is checked after each test.
RUNNING: list[Server] = []

#: Applications raise this word when they are meant to fail, so that an unmeant traceback stands out.
PLANNED = r"\bplanned\b"


def command() -> list[str]:
    """The command under test, without arguments."""
    given = os.environ.get("TAPSTER_COMMAND")
    return shlex.split(given) if given else [str(Path(sys.executable).with_name("tapster"))]


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """The caller's environment without what would configure the server, and with `changes`."""
    kept = {name: value for name, value in os.environ.items() if not _configures(name)}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": "", **(changes or {})}


def run(
    *arguments: str, cwd: Path = APPS, env: Mapping[str, str] | None = None, timeout: float = 30.0
) -> subprocess.CompletedProcess[str]:
    """Runs the command to its end: for what prints something or fails at once."""
    return subprocess.run(
        [*command(), *arguments],
        cwd=cwd,
        env=environment(env),
        timeout=timeout,
        capture_output=True,
        text=True,
        check=False,
    )


class Server:
    """A server process in a process group of its own."""

    def __init__(
        self,
        *arguments: str,
        cwd: Path = APPS,
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
        wrapper: Sequence[str] = (),
    ) -> None:
        self.arguments = arguments
        self.allowed = [PLANNED]
        self.process = subprocess.Popen(
            [*wrapper, *command(), *arguments],
            cwd=cwd,
            # Tests look for what each request of theirs had logged, also where an earlier one had the same.
            env=environment({"TAPSTER_LOG_REPEATS": "0", **(env or {})}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=pass_fds,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self.log = Log(self.process.stdout)
        self.addresses: list[Address] = []
        self._checked = 0
        RUNNING.append(self)

    @classmethod
    def start(
        cls,
        *arguments: str,
        cwd: Path = APPS,
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
        wrapper: Sequence[str] = (),
    ) -> Server:
        """A ready server; listens on a free port of 127.0.0.1 when the arguments bind nothing.

        A `wrapper` is a command that ends by becoming the server: `strace -D`, `taskset`.
        """
        if not any(word in ("-b", "--bind") or word.startswith("--bind=") for word in arguments):
            arguments = (*arguments, "--bind", "127.0.0.1:0")
        server = cls(*arguments, cwd=cwd, env=env, pass_fds=pass_fds, wrapper=wrapper)
        try:
            server.wait_ready()
        except BaseException:
            server.close()
            raise
        return server

    @property
    def pid(self) -> int:
        """The supervisor."""
        return self.process.pid

    @property
    def address(self) -> Address:
        """The first address."""
        return self.addresses[0]

    @property
    def unix(self) -> Address:
        """The first unix socket."""
        return next(address for address in self.addresses if address.path)

    def wait_ready(self, timeout: float = 40.0) -> None:
        """Waits for the line that says so and reads the addresses from the lines before it."""
        self.log.wait_for(READY, timeout=timeout)
        # Written by a worker, so it may come a little after the supervisor's line.
        self.log.wait_for(r"(\] |\"message\":\")serving ", timeout=timeout)
        self.wait_addresses()

    def wait_addresses(self) -> None:
        """Reads the addresses from the lines that are there."""
        for line in self.log.find(LISTENING):
            self.addresses += [found for found in addresses_in(line) if found not in self.addresses]

    def worker_pids(self) -> list[int]:
        """The supervisor's children now."""
        return children(self.pid)

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to the supervisor alone."""
        self.process.send_signal(number)

    def reload(self, timeout: float = 40.0) -> None:
        """HUP, and waits until every worker of before is gone."""
        old = self.worker_pids()
        self.send(signal.SIGHUP)
        wait_gone(old, timeout)

    def wait(self, timeout: float = 20.0) -> int:
        """Waits for the supervisor's end; its exit code."""
        return self.process.wait(timeout)

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout: float = 20.0) -> int:
        """Sends a signal and waits for the end; the exit code."""
        self.send(number)
        return self.wait(timeout)

    def allow(self, pattern: str) -> None:
        """Tracebacks in which this is found are meant."""
        self.allowed.append(pattern)

    def complaints(self) -> list[str]:
        """Panics and unmeant tracebacks since the last call."""
        lines = self.log.lines(self._checked)
        blocks, used = _tracebacks(lines, ended=self.process.poll() is not None)
        self._checked += used
        panics = [line for line in lines[:used] if "panicked at" in line]
        return panics + [block for block in blocks if not self._is_allowed(block)]

    def close(self) -> None:
        """Ends every process of the group, by force where a signal was not enough."""
        if self.process.poll() is None:
            self.send(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(1.0)
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()
        self.log.join()
        if self in RUNNING:
            RUNNING.remove(self)

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        found = self.complaints()
        assert kind is not None or not found, "in the server's log:\n" + "\n".join(found)

    def _is_allowed(self, block: str) -> bool:
        return any(re.search(pattern, block) for pattern in self.allowed)


def children(parent: int) -> list[int]:
    """The processes whose parent that is now."""
    return sorted(pid for pid in _all_pids() if _parent(pid) == parent)


def wait_gone(pids: Sequence[int], timeout: float) -> None:
    """Waits until none of the processes runs any more."""
    deadline = time.monotonic() + timeout
    for pid in pids:
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            left = max(0.0, deadline - time.monotonic())
            assert select.select([handle], [], [], left)[0], f"process {pid} still runs after {timeout} s"
        finally:
            os.close(handle)


def wait_until_listening(address: Address, timeout: float = 20.0) -> None:
    """Waits until somebody listens there: for a server that logs nothing."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            address.connect().close()
        except OSError:
            assert time.monotonic() < deadline, f"nobody listens on {address}"
            time.sleep(0.01)
        else:
            return


def _configures(name: str) -> bool:
    return name == "PORT" or name.startswith(("TAPSTER_", "PYTHON", "PYTEST_"))


def _all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _parent(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="latin-1").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if status[0] in "ZX" else int(status[1])


def _tracebacks(lines: list[str], ended: bool) -> tuple[list[str], int]:
    """Each traceback, from the line before it to the line that names the exception, and how many lines were used.

    One that is still being written is left for the next time, unless the process ended.
    """
    blocks: list[str] = []
    for start, line in enumerate(lines):
        if "Traceback (most recent call last)" in line:
            margin = _margin(line) if line.lstrip().startswith("Traceback") else 0
            rest = lines[start + 1 :]
            length = next(
                (n for n, text in enumerate(rest) if text.strip() and _margin(text) <= margin), None
            )
            if length is None and not ended:
                return blocks, max(0, start - 1)
            last = len(lines) if length is None else start + 2 + length
            blocks.append("\n".join(lines[max(0, start - 1) : last]))
    return blocks, len(lines)


def _margin(line: str) -> int:
    return len(line) - len(line.lstrip())
