"""PID 1 of a container, unix sockets that somebody left or owns, and threads that the application left (F13, F14, F16)."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults.kinds import OURS, UNIX, WORKERS, Wish
from tests.faults.play import fault
from tests.faults.servers import Project, children, eventually, is_alive, state

if TYPE_CHECKING:
    from tests.faults.play import Play

#: A PID namespace of its own, in which the server is process 1.
CONTAINER = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child")


@fault(
    "F13",
    "PID 1 of a container with orphaned grandchildren",
    needs=[WORKERS],
    sizes={"grandchildren": (100, 1000)},
    limits={"zombies after 1 s": 0, "the end after TERM": 6.0},
)
def process_one(play: Play) -> None:
    """Their exit codes, which are 3, mean nothing to it."""
    with play.server(Wish(graceful=2), wrapper=CONTAINER, own_numbers=True) as victim:
        (master,) = children(victim.pid)
        for _ in range(play.size("grandchildren") // 50):
            assert victim.get("/orphans?count=50", 30).body == b"50"
        time.sleep(0.2)
        left: list[int] = []
        try:
            eventually(lambda: not zombies(master), play.patience, "orphans are buried")
        except AssertionError:
            left = zombies(master)
        play.at_most("zombies after 1 s", len(left))
        play.check("still serving", str(victim.answers()), "True", victim.answers())
        os.kill(master, signal.SIGTERM)
        began = time.monotonic()
        with contextlib.suppress(AssertionError):
            eventually(lambda: not is_alive(master), 30, "PID 1 ends")
        play.within("the end after TERM", time.monotonic() - began)


def zombies(parent: int) -> list[int]:
    """Children that ended and were not buried."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit() and state(int(name)) == "Z"]
    return [pid for pid in pids if parent_of(pid) == parent]


def parent_of(pid: int) -> int:
    """The parent, also of a zombie."""
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/stat").read_text(encoding="latin-1")
        return int(text.rpartition(")")[2].split()[1])
    return 0


@fault("F14", "a unix socket file that a dead server left", needs=[UNIX])
def stale_socket(play: Play) -> None:
    """It is replaced, and gone at the end."""
    path = play.directory / "app.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with play.server(Wish(unix=str(path))) as victim:
        play.check("starts and answers", str(victim.answers()), "True", victim.answers())
        if OURS in play.kind.features:
            mode = stat.S_IMODE(path.stat().st_mode)
            play.check("access mode", oct(mode), "0o660", mode == 0o660)
        victim.send(signal.SIGTERM)
        victim.process.wait(20)
        play.check("gone at the end", str(not path.exists()), "True", not path.exists())


@fault("F14c", "a file that is no socket where the unix socket should be", needs=[UNIX])
def not_a_socket(play: Play) -> None:
    """It is somebody's, and stays; the server refuses to start."""
    path = play.directory / "app.sock"
    path.write_text("mine")
    victim = play.start(Wish(unix=str(path)))
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            victim.process.wait(5)
        code = victim.process.poll()
        play.check("exit code", str(code), "1", code == 1)
        named = bool(victim.log.find("app.sock"))
        play.check("the log names it", str(named), "True", named)
    finally:
        victim.close()
    kept = path.exists() and path.is_file() and path.read_text() == "mine"
    play.check("the file is as it was", str(kept), "True", kept)


@fault("F14b", "a unix socket that another server lives on", needs=[UNIX])
def living_socket(play: Play) -> None:
    """The second server refuses to start, and the first keeps its socket."""
    path = play.directory / "app.sock"
    with play.server(Wish(unix=str(path))) as first:
        owner = path.stat().st_ino
        second = play.start(Wish(unix=str(path)), Project(play.directory / "second"))
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                second.process.wait(5)
            code = second.process.poll()
            play.check("the second's exit code", str(code), "1", code == 1)
        finally:
            second.close()
        kept = path.exists() and path.stat().st_ino == owner
        play.check("the socket is still the first's", str(kept), "True", kept)
        play.check("the first answers", str(first.answers()), "True", first.answers())


LINGERING = """import atexit, time
atexit.register(time.sleep, 3600)
"""


@fault(
    "F16",
    "threads and exit handlers of the application that never end",
    sizes={"graceful": (2, 5)},
    limits={"the end after TERM": 1.0, "processes left": 0},
)
def lingering(play: Play) -> None:
    """The end comes within the grace all the same, and the log names the thread."""
    project = Project(play.directory / "project")
    project.write(before=LINGERING)
    graceful = play.size("graceful")
    with play.server(Wish(graceful=graceful), project) as victim:
        for _ in range(4):
            victim.get("/lingers")
        pids = [*victim.workers(), victim.pid]
        victim.send(signal.SIGTERM)
        began = time.monotonic()
        with contextlib.suppress(subprocess.TimeoutExpired):
            victim.process.wait(graceful + 30)
        play.within("the end after TERM", max(0.0, time.monotonic() - began - graceful))
        play.at_most("processes left", sum(map(is_alive, pids)))
        if OURS in play.kind.features:
            victim.log.join()
            named = bool(victim.log.find("planned-lingerer"))
            play.check("the log names the thread", str(named), "True", named)
