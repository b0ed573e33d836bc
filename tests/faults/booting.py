"""Workers that cannot be made, and applications that cannot be loaded at the first start (F07, F08)."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

from tests.faults.deaths import replaced
from tests.faults.kinds import WORKERS, Wish
from tests.faults.play import fault
from tests.faults.servers import Project, eventually, is_alive

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.play import Play

#: System calls that make a process: strace has the first few of them fail.
FORKING = "clone,clone3,fork,vfork"


@fault(
    "F07",
    "no worker can be forked (EAGAIN)",
    needs=[WORKERS],
    sizes={"failures": (3, 100)},
    limits={"log lines a second": 1, "full strength again": 1.5},
)
def cannot_fork(play: Play) -> None:
    """strace is attached to the master and refuses; then a worker dies, so that the master has to fork."""
    with play.server(Wish()) as victim, play.probing(victim) as prober:
        prober.wait_for(20)
        calls = play.directory / "calls"
        tracer = refuse(victim.pid, FORKING, calls)
        old = victim.workers()
        with prober.while_dying(old[0]):
            os.kill(old[0], signal.SIGKILL)
            eventually(lambda: not is_alive(old[0]), 5, "a killed worker is gone")
        mark, since = victim.log.mark(), time.monotonic()
        count = play.size("failures")
        # Attempts are at most 5 s apart.
        with contextlib.suppress(AssertionError):
            eventually(
                lambda: calls.read_text().count("INJECTED") >= count or not victim.is_alive(),
                5 * count,
                "refused",
            )
        refused = calls.read_text().count("INJECTED")
        play.check("refused attempts", str(refused), str(count), refused >= count)
        # The first second has the death and the first attempts.
        lines = (len(victim.log.lines(mark)) - 10) / (time.monotonic() - since)
        play.check("the master lives", str(victim.is_alive()), "True", victim.is_alive())
        play.check("the other worker lives", str(is_alive(old[1])), "True", is_alive(old[1]))
        play.at_most("log lines a second", round(lines, 1))
        end(tracer)
        play.within("full strength again", replaced(victim, old[:1], 30))
        prober.wait_for(50)
    play.none_failed(prober)


def refuse(pid: int, calls: str, output: Path, error: str = "EAGAIN") -> subprocess.Popen[bytes]:
    """A tracer that has these system calls of one process fail, in all its threads, from when this returns."""
    words = ["strace", "-f", "-qq", "-p", str(pid), "-o", str(output)]
    tracer = subprocess.Popen([*words, "-e", f"trace={calls}", "-e", f"inject={calls}:error={error}"])
    eventually(lambda: traced_by(pid) == tracer.pid, 10, "strace is attached")
    return tracer


def traced_by(pid: int) -> int:
    """Who traces a process."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("TracerPid:"))


def end(tracer: subprocess.Popen[bytes]) -> None:
    """Lets go of what is traced."""
    tracer.send_signal(signal.SIGTERM)
    tracer.wait(10)


@fault(
    "F08",
    "the application cannot be imported at the first start",
    limits={"the end after the error": 1.0, "tracebacks": 1},
)
def broken_at_first(play: Play) -> None:
    """The exit code says so; the traceback comes once, and not from every worker."""
    project = Project(play.directory / "project")
    project.replace("raise RuntimeError('planned')\n")
    victim = play.start(Wish(workers=4), project)
    try:
        with contextlib.suppress(AssertionError):
            victim.log.wait_for("planned", timeout=20)
        began = time.monotonic()
        with contextlib.suppress(subprocess.TimeoutExpired):
            victim.process.wait(30)
        play.within("the end after the error", time.monotonic() - began)
        victim.log.join()
        play.at_most("tracebacks", len(victim.log.find("Traceback")))
        code = victim.process.poll()
        play.check("exit code", str(code), "not 0", code not in (None, 0))
    finally:
        victim.close()
