"""Reloads: onto a broken application, with a slow one, and more signals than anybody needs (F09-F11)."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING

from tests.faults import ours
from tests.faults.kinds import BOOT_TIMEOUT, OURS, RELOAD, WORKERS, Wish
from tests.faults.play import fault
from tests.faults.servers import Project, children, eventually

if TYPE_CHECKING:
    from types import TracebackType

    from tests.faults.play import Play
    from tests.faults.servers import Victim

#: What a deploy may have broken; each is the whole text of the module.
BROKEN = {
    "syntax error": "def broken(:\n",
    "import raises": "raise RuntimeError('planned')\n",
    "sys.exit": "import sys\nsys.exit('planned')\n",
    "crash": "import ctypes\nctypes.string_at(0)\n",
}
HANGS = "import time\ntime.sleep(3600)\n"


@fault(
    "F09",
    "a reload onto a broken application",
    needs=[RELOAD],
    sizes={"rounds": (1, 20), "seconds": (0.5, 3.0)},
)
def broken_reload(play: Play) -> None:
    """Four ways to be broken; then a good one, which must get through."""
    project = Project(play.directory / "project")
    with play.server(Wish(), project) as victim, play.probing(victim) as prober:
        prober.wait_for(20)
        workers, unchanged, told = victim.workers(), 0, 0
        for _ in range(play.size("rounds")):
            for text in BROKEN.values():
                told += reload_broken(play, project, victim, text)
                unchanged += victim.workers() == workers and victim.is_alive()
        total = play.size("rounds") * len(BROKEN)
        play.check("same workers afterwards", f"{unchanged} of {total}", str(total), unchanged == total)
        if OURS in play.kind.features:
            play.check("the command fails", f"{told} of {total}", str(total), told == total)
            count = ours.status(victim)["reloads"]["failed"]
            play.check("status counts them", str(count), str(total), count == total)
        prober.wait_for(20)
        project.write(version="2")
        if victim.is_alive():
            victim.send(signal.SIGHUP)
            took = eventually(lambda: not set(victim.workers()) & set(workers), 30, "the good code is loaded")
            play.check("a good reload gets through", f"{took:.1f} s", "30 s", True)
        prober.wait_for(20)
    play.none_failed(prober)


def reload_broken(play: Play, project: Project, victim: Victim, text: str) -> bool:
    """One reload, and a while for whatever it does; whether who asked was told that it failed."""
    project.replace(text)
    if OURS in play.kind.features:
        done = ours.ask(victim, "reload")
        return done.returncode == 1 and "not reloaded" in done.stderr
    victim.send(signal.SIGHUP)
    time.sleep(max(2.0, play.seconds("seconds")))
    return False


@fault(
    "F09b",
    "a reload onto an application whose import hangs",
    needs=[RELOAD, BOOT_TIMEOUT],
    sizes={"rounds": (1, 20), "time-out": (1, 3)},
    limits={"given up after time-out +": 1.0},
)
def hanging_reload(play: Play) -> None:
    """It ends at the boot time-out."""
    project = Project(play.directory / "project")
    timeout = play.size("time-out")
    with play.server(Wish(boot_timeout=timeout), project) as victim, play.probing(victim) as prober:
        prober.wait_for(20)
        workers, unchanged, slowest = victim.workers(), 0, 0.0
        project.replace(HANGS)
        for _ in range(play.size("rounds")):
            began, mark = time.monotonic(), victim.log.mark()
            victim.send(signal.SIGHUP)
            if OURS in play.kind.features:
                victim.log.wait_for("reload given up", mark, timeout + 30)
                slowest = max(slowest, time.monotonic() - began - timeout)
            else:
                time.sleep(timeout + 3)
            unchanged += victim.workers() == workers
        rounds = play.size("rounds")
        play.check("same workers afterwards", f"{unchanged} of {rounds}", str(rounds), unchanged == rounds)
        if OURS in play.kind.features:
            play.within("given up after time-out +", slowest)
        prober.wait_for(50)
    play.none_failed(prober)


class Census:
    """Counts a server's workers while something happens: those with the application, and all processes."""

    def __init__(self, victim: Victim) -> None:
        self.fewest, self.most = 1 << 20, 0
        self._victim, self._stop = victim, threading.Event()
        self._thread = threading.Thread(target=self._count, daemon=True)

    def __enter__(self) -> Census:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(10)

    def _count(self) -> None:
        while not self._stop.wait(0.02):
            self.fewest = min(self.fewest, len(self._victim.workers()))
            self.most = max(self.most, len(children(self._victim.pid)))


@fault(
    "F10",
    "a reload of an application that is slow to import, under load",
    needs=[WORKERS, RELOAD],
    sizes={"import seconds": (1, 10), "reloads": (1, 3), "rate": (200, 2000), "requests": (300, 100_000)},
    limits={"p99 against before": 2.0},
)
def slow_reload(play: Play) -> None:
    """The new workers are warm before the old ones go."""
    project = Project(play.directory / "project")
    with (
        play.server(Wish(), project) as victim,
        play.probing(victim, rate=play.size("rate")) as prober,
        Census(victim) as census,
    ):
        prober.wait_for(300)
        before, count = prober.tally.p99(), prober.tally.right
        project.write(before=f"import time; time.sleep({play.seconds('import seconds')})")
        for _ in range(play.size("reloads")):
            old = victim.workers()
            victim.send(signal.SIGHUP)
            eventually(lambda old=old: not set(victim.workers()) & set(old), 90, "the old workers are gone")
        prober.wait_for(max(50, play.size("requests") - prober.tally.done), 120)
        after = prober.tally.p99(count)
        play.as_before(after, before, 0.05)
        fewest, most = census.fewest, census.most
    play.check("fewest workers", str(fewest), "2", fewest >= 2)
    play.check("most processes", str(most), "4", most <= 4 or OURS not in play.kind.features)
    play.none_failed(prober)


@fault(
    "F11",
    "a storm of HUP",
    needs=[WORKERS, RELOAD],
    sizes={"signals": (1000, 1000)},
    limits={"rounds of reloads": 2, "settled": 10.0, "processes": 4},
)
def hup_storm(play: Play) -> None:
    """A thousand in a second are two reloads, of an application that takes half a second to import."""
    project = Project(play.directory / "project")
    project.write(before="import time; time.sleep(0.5)")
    with play.server(Wish(), project) as victim, play.probing(victim) as prober, Census(victim) as census:
        prober.wait_for(20)
        before = set(victim.workers())
        loaded = set(before)
        for number in range(play.size("signals")):
            victim.send(signal.SIGHUP)
            # About a second in all.
            time.sleep(0.005 if number % 10 == 0 else 0)
        began = quiet = time.monotonic()
        while time.monotonic() - quiet < 1.5 and time.monotonic() - began < 30:
            now = set(victim.workers())
            if now - loaded or not before.isdisjoint(now) or len(now) != victim.wish.workers:
                quiet = time.monotonic()
            loaded |= now
            time.sleep(0.02)
        play.within("settled", quiet - began)
        play.at_most("rounds of reloads", len(loaded - before) // 2)
        play.check("the master lives", str(victim.is_alive()), "True", victim.is_alive())
        prober.wait_for(20)
    play.at_most("processes", census.most)
    play.none_failed(prober)


@fault(
    "F11b",
    "a storm of mixed signals, and then the end",
    needs=[WORKERS, RELOAD],
    sizes={"signals": (1000, 10_000)},
    limits={"the end after": 6.0, "left": 0},
)
def signal_storm(play: Play) -> None:
    """Whatever comes with it, TERM ends the server within its grace."""
    chance = random.Random(11)
    with play.server(Wish(graceful=5)) as victim:
        for _ in range(play.size("signals")):
            victim.send(chance.choice([signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1, signal.SIGHUP]))
        pids = children(victim.pid)
        began = time.monotonic()
        for _ in range(50):
            victim.send(chance.choice([signal.SIGHUP, signal.SIGCHLD, signal.SIGINT]))
            victim.send(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            victim.process.wait(30)
        play.within("the end after", time.monotonic() - began)
        play.at_most("left", sum(os.path.exists(f"/proc/{pid}") for pid in pids))
