"""Processes that die: a worker in C, by the kernel, by its own exit, and the master (F01-F04)."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults.kinds import OURS, WORKERS, Wish
from tests.faults.play import fault
from tests.faults.servers import eventually, is_alive
from tests.wire import Connection, http_request

if TYPE_CHECKING:
    from tests.faults.play import Play
    from tests.faults.prober import Prober
    from tests.faults.servers import Victim


def take_along(victim: Victim, prober: Prober, how: str) -> bool:
    """A request that ends its worker; whether its client saw the connection end."""
    with prober.while_dying(*victim.workers()):
        try:
            victim.get(f"/die?how={how}")
        except (TimeoutError, socket.timeout):
            return False
        except (OSError, AssertionError):
            return True
    return False


def replaced(victim: Victim, old: list[int], timeout: float) -> float:
    """Waits for full strength without the dead; how long it took."""

    def full() -> bool:
        now = victim.workers()
        return len(now) >= victim.wish.workers and any(pid not in old for pid in now)

    return eventually(full, timeout, f"{victim.wish.workers} workers after a death")


def die_and_be_replaced(play: Play, hows: list[str]) -> Victim:
    """Each of these deaths, one after the other, beside the probes; the server, which has ended."""
    with play.server(Wish()) as victim, play.probing(victim) as prober:
        prober.wait_for(20)
        seen, slowest = 0, 0.0
        for how in hows:
            old = victim.workers()
            seen += take_along(victim, prober, how)
            slowest = max(slowest, replaced(victim, old, play.limit("full strength again") + 8))
        prober.wait_for(100)
        play.at_most("clients of the dead that hang", len(hows) - seen)
        play.within("full strength again", slowest)
        play.check("the master lives", str(victim.is_alive()), "True", victim.is_alive())
    play.none_failed(prober)
    return victim


@fault(
    "F01",
    "a worker crashes in C in mid-request",
    needs=[WORKERS],
    sizes={"crashes": (4, 20)},
    limits={"clients of the dead that hang": 0, "full strength again": 1.5},
)
def crash(play: Play) -> None:
    victim = die_and_be_replaced(play, ["crash", "abort"] * (play.size("crashes") // 2))
    if OURS in play.kind.features:
        named = victim.log.find(r"signal 11|SEGV|segmentation", 0)
        play.check("the log names the signal", str(bool(named)), "True", bool(named))
        stack = victim.log.find(r'File ".*faulty.py", line \d+ in die')
        play.check("the log has the stack", str(bool(stack)), "True", bool(stack))


@fault(
    "F01b",
    "workers crash again and again",
    needs=[WORKERS],
    sizes={"crashes": (8, 100), "seconds": (0, 60)},
    limits={"answers again": 5.0},
)
def crash_loop(play: Play) -> None:
    """No number of crashes stops the master."""
    crashes = play.size("crashes")
    pause = play.seconds("seconds") / crashes
    with play.server(Wish()) as victim:
        for _ in range(crashes):
            with contextlib.suppress(OSError, AssertionError):
                victim.get("/die?how=crash", timeout=10)
            time.sleep(pause)
        play.check("the master lives", str(victim.is_alive()), "True", victim.is_alive())
        play.within("answers again", eventually(victim.answers, 30, "an answer after the crashes"))


@fault(
    "F02",
    "a worker is killed for want of memory (KILL)",
    needs=[WORKERS],
    sizes={"kills": (4, 20)},
    limits={"full strength again": 1.5, "master's MiB": 20, "score below its workers": 0},
)
def out_of_memory(play: Play) -> None:
    with play.server(Wish()) as victim, play.probing(victim) as prober:
        slowest = 0.0
        if OURS in play.kind.features:
            play.at_most("master's MiB", resident(victim.pid))
            scores = [score(pid) - score(victim.pid) for pid in victim.workers()]
            play.check("workers go before the master", str(scores), "300 each", min(scores) >= 300)
        for _ in range(play.size("kills")):
            old = victim.workers()
            with prober.while_dying(old[0]):
                os.kill(old[0], signal.SIGKILL)
                eventually(lambda pid=old[0]: not is_alive(pid), 5, "a killed worker is gone")
            slowest = max(slowest, replaced(victim, old, play.limit("full strength again") + 8))
        prober.wait_for(100)
        play.within("full strength again", slowest)
        play.check("the master lives", str(victim.is_alive()), "True", victim.is_alive())
    play.none_failed(prober)


def resident(pid: int) -> float:
    """MiB that a process has in memory, what it shares with others included."""
    text = Path(f"/proc/{pid}/status").read_text()
    return round(int(text.partition("\nVmRSS:")[2].split()[0]) / 1024, 1)


def score(pid: int) -> int:
    """How readily the kernel chooses this process when memory ends."""
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


@fault(
    "F03",
    "os._exit(n) in a request",
    needs=[WORKERS],
    sizes={"codes": (6, 256)},
    limits={"clients of the dead that hang": 0, "full strength again": 1.5},
)
def hard_exit(play: Play) -> None:
    """Also with the codes that servers give a meaning to."""
    telling = [0, 1, 2, 3, 4, 255]
    codes = telling + [code for code in range(256) if code not in telling]
    die_and_be_replaced(play, [str(code) for code in codes[: play.size("codes")]])


@fault(
    "F04",
    "the master is killed (KILL)",
    needs=[WORKERS],
    limits={"workers stop accepting": 0.1, "port free again": 1.0, "workers left after 5 s": 0},
)
def master_killed(play: Play) -> None:
    with play.server(Wish()) as victim:
        workers = victim.workers()
        with Connection(victim.address) as inside:
            inside.send(http_request(target="/hang?how=sleep&seconds=0.5"))
            eventually(lambda: victim.project.events("inside"), 10, "a request is inside")
            os.kill(victim.pid, signal.SIGKILL)
            died = time.monotonic()
            look_at_orphans(play, victim, workers, died, inside)


def look_at_orphans(play: Play, victim: Victim, workers: list[int], died: float, inside: Connection) -> None:
    """What workers do once their master is gone, up to their end."""
    with contextlib.suppress(AssertionError):
        eventually(lambda: refuses(victim), 5, "nobody accepts")
    play.within("workers stop accepting", time.monotonic() - died)
    try:
        status = str(inside.read_response().status)
    except (OSError, AssertionError) as error:
        status = type(error).__name__
    play.check("the request that was inside", status, "200", status == "200")
    with contextlib.suppress(AssertionError):
        eventually(lambda: can_bind(victim), 5, "the port is free")
    play.within("port free again", time.monotonic() - died)
    with contextlib.suppress(AssertionError):
        eventually(lambda: not any(map(is_alive, workers)), died + 5 - time.monotonic(), "no orphans")
    play.at_most("workers left after 5 s", sum(map(is_alive, workers)))


def refuses(victim: Victim) -> bool:
    """Whether nobody listens any more."""
    try:
        victim.address.connect(1.0).close()
    except OSError:
        return True
    return False


def can_bind(victim: Victim) -> bool:
    """Whether a new server could have the port."""
    with socket.socket() as new:
        new.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            new.bind((victim.address.host, victim.address.port))
            new.listen()
        except OSError:
            return False
        return True
