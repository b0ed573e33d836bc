"""A process of ours on one core, in a group of its own, that is always stopped with all that came from it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

APPS = Path(__file__).resolve().parent / "apps"
SERVER_CORE, LOAD_CORE = "0", "1"

#: Seconds for a server to stop by itself.
PATIENCE = 5.0


class MeasurementError(Exception):
    """A server or a load that did not do its part: the text goes into the results."""


def pinned(core: str, command: Sequence[str]) -> list[str]:
    """The command, kept on one core, and ended should this process be killed. Both tools become the command: the
    process number stays."""
    return ["setpriv", "--pdeathsig", "KILL", "taskset", "-c", core, *command]


@contextmanager
def started(
    command: Sequence[str], core: str, log: Path, stop: signal.Signals = signal.SIGTERM
) -> Generator[subprocess.Popen[bytes]]:
    """Runs a command in the folder of the applications; stops it at the end of the block."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TAPSTER_")}
    with log.open("wb") as output:
        child = subprocess.Popen(
            pinned(core, command),
            cwd=APPS,
            env={**environment, "PYTHONPATH": str(APPS)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield child
    finally:
        _end(child, stop)


def _end(child: subprocess.Popen[bytes], stop: signal.Signals) -> None:
    """Asks the process, waits, and ends what is left of its group before its number can be used again."""
    handle = os.pidfd_open(child.pid)
    try:
        # Not `child.send_signal`, which would reap it.
        signal.pidfd_send_signal(handle, stop)
        select.select([handle], [], [], PATIENCE)
    finally:
        os.close(handle)
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def last_words(log: Path) -> str:
    """The last line that is not empty of a log."""
    lines = [line for line in log.read_text("utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1].strip()[:200] if lines else "it said nothing"
