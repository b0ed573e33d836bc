"""Everything at once under load: reloads, deaths and recycling; and reloads alone, for all servers (L01-L05)."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import threading
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from tests.faults.kinds import OURS, RECYCLING, RELOAD, WORKERS, Wish
from tests.faults.play import fault
from tests.faults.prober import Prober
from tests.faults.servers import eventually, is_alive
from tests.wire import Connection, http_request

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.faults.play import Play
    from tests.faults.servers import Victim

CONNECTIONS = 64
RELOAD_EVERY, KILL_EVERY = 2.0, 5.0


class Storm:
    """Reloads a server every 2 s and kills one of its workers every 5 s, from a thread, until it is told to stop."""

    def __init__(self, victim: Victim, prober: Prober | None, reload: float, kill: float) -> None:
        self.reloads, self.kills = 0, 0
        self._victim, self._prober = victim, prober
        self._reload, self._kill = reload, kill
        self._chance = random.Random(64)

    @contextmanager
    def blowing(self) -> Generator[Storm]:
        """Until the end of the block."""
        stop = threading.Event()
        thread = threading.Thread(target=self._blow, args=(stop,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            stop.set()
            thread.join(30)

    def _blow(self, stop: threading.Event) -> None:
        reload, kill = time.monotonic() + self._reload, time.monotonic() + self._kill
        while not stop.wait(max(0.0, min(reload, kill) - time.monotonic())):
            if time.monotonic() >= reload:
                reload += self._reload
                self._victim.send(signal.SIGHUP)
                self.reloads += 1
            if time.monotonic() >= kill:
                kill += self._kill
                self._kill_one()

    def _kill_one(self) -> None:
        pid = self._chance.choice(self._victim.workers())
        with ExitStack() as stack:
            if self._prober:
                stack.enter_context(self._prober.while_dying(pid))
            os.kill(pid, signal.SIGKILL)
            eventually(lambda: not is_alive(pid), 10, "a killed worker is gone")
        self.kills += 1


@fault(
    "L01",
    "reloads, deaths and recycling at once, under a client that checks all",
    needs=[WORKERS, RELOAD, RECYCLING],
    sizes={"seconds": (5, 60), "each": (500, 500), "rate": (300, 1000), "pace": (0.6, 1)},
)
def storm_checked(play: Play) -> None:
    """64 connections: no wrong answer apart from what was inside a killed worker, and none of those hangs."""
    pace = play.seconds("pace")
    with play.server(Wish(threads=8, max_requests=play.size("each"))) as victim:
        with Prober(victim.address, 2 * play.patience, CONNECTIONS, play.size("rate")) as prober:
            prober.wait_for(CONNECTIONS)
            with Storm(victim, prober, RELOAD_EVERY * pace, KILL_EVERY * pace).blowing() as storm:
                time.sleep(play.seconds("seconds"))
            prober.wait_for(100)
        told = f"{storm.reloads} reloads, {storm.kills} kills"
        play.check("what there was", told, "some of each", storm.kills > 0)
        play.check("the master lives", str(victim.is_alive()), "True", victim.is_alive())
    most = storm.kills * CONNECTIONS
    play.check("inside the killed", str(len(prober.lost())), str(most), len(prober.lost()) <= most)
    play.none_failed(prober)


@fault(
    "L02",
    "reloads, deaths and recycling at once, under wrk",
    needs=[WORKERS, RELOAD, RECYCLING],
    sizes={"seconds": (4, 60), "each": (5000, 50_000), "pace": (0.6, 1)},
)
def storm_loaded(play: Play) -> None:
    """As fast as it goes: no answer but 200, no connection refused, none that hangs; broken only by kills."""
    pace = play.seconds("pace")
    with play.server(Wish(threads=8, max_requests=play.size("each"))) as victim:
        with Storm(victim, None, RELOAD_EVERY * pace, KILL_EVERY * pace).blowing() as storm:
            shown = wrk(victim, play.size("seconds"))
        broken = trouble(shown)
        play.check("kills", str(storm.kills), "some", storm.kills > 0)
        play.check("the master lives", str(victim.is_alive()), "True", victim.is_alive())
    most = storm.kills * CONNECTIONS
    cut = broken["read"] + broken["write"]
    play.check("cut connections", f"{cut} at {storm.kills} kills", f"{most}", cut <= most)
    others = {name: count for name, count in broken.items() if name not in ("read", "write", "answered")}
    found = ", ".join(f"{count} {name}" for name, count in others.items() if count) or "none"
    play.check("other trouble", f"{found} of {broken['answered']}", "none", found == "none")


def wrk(victim: Victim, seconds: int) -> str:
    """What wrk prints after a run of so many seconds."""
    words = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s"]
    url = f"http://{victim.address.host}:{victim.address.port}/probe?n=1"
    done = subprocess.run([*words, url], check=True, capture_output=True, text=True, timeout=seconds + 60)
    return done.stdout


def trouble(shown: str) -> Counter[str]:
    """How many answers there were, and what went wrong."""
    found = Counter({"answered": int(re.findall(r"(\d+) requests in", shown)[0])})
    for names in re.findall(r"Socket errors: (.*)", shown):
        for name, count in re.findall(r"(\w+) (\d+)", names):
            found[name] += int(count)
    for count in re.findall(r"Non-2xx or 3xx responses: (\d+)", shown):
        found["not 200"] += int(count)
    return found


@fault(
    "L03",
    "reloads alone, one every 2 s, under load",
    needs=[RELOAD],
    sizes={"reloads": (3, 30), "rate": (300, 500), "pause": (1, 2)},
)
def reloads_alone(play: Play) -> None:
    """No request fails."""
    with play.server(Wish(threads=8)) as victim:
        with Prober(victim.address, play.patience, CONNECTIONS, play.size("rate")) as prober:
            prober.wait_for(CONNECTIONS)
            for _ in range(play.size("reloads")):
                victim.send(signal.SIGHUP)
                time.sleep(play.seconds("pause"))
            prober.wait_for(CONNECTIONS)
        play.check("the master lives", str(victim.is_alive()), "True", victim.is_alive())
    play.none_failed(prober)


@fault(
    "L05",
    "upgrades (USR2), one after the other, under load",
    needs=[OURS],
    sizes={"upgrades": (2, 30), "rate": (300, 1000)},
)
def upgrades(play: Play) -> None:
    """Each is a new server, which takes the sockets over: no request fails."""
    with play.server(Wish(threads=8)) as victim:
        pid = victim.pid
        with Prober(victim.address, play.patience, CONNECTIONS, play.size("rate")) as prober:
            prober.wait_for(CONNECTIONS)
            for _ in range(play.size("upgrades")):
                pid = upgraded(victim, pid)
                prober.wait_for(20)
            prober.wait_for(CONNECTIONS)
        os.kill(pid, signal.SIGTERM)
        eventually(lambda: not is_alive(pid), 20, "the last server ends")
    play.none_failed(prober)


def upgraded(victim: Victim, pid: int) -> int:
    """USR2 to the server in charge, up to the end of it; who is in charge then."""
    mark = victim.log.mark()
    os.kill(pid, signal.SIGUSR2)
    taken = victim.log.wait_for(rf"pid (\d+) has taken over from pid {pid}\b", mark, 60)
    eventually(lambda: not is_alive(pid), 60, "the server before is gone")
    return int(taken.group(1))


@fault(
    "L04",
    "400 kept connections on four workers",
    needs=[WORKERS],
    sizes={"rounds": (1, 10)},
)
def spread(play: Play) -> None:
    """Opened one after the other: each worker has 100, give or take 25."""
    with play.server(Wish(workers=4, threads=2)) as victim:
        # One whose threads do not run yet leaves clients to its peers.
        eventually(lambda: all_serve(victim), 30, "all workers serve")
        for _ in range(play.size("rounds")):
            with ExitStack() as stack:
                held: Counter[bytes] = Counter()
                for _ in range(400):
                    client = stack.enter_context(Connection(victim.address))
                    client.send(http_request(target="/probe?n=1"))
                    held[client.read_response().body.split()[1]] += 1
            counts = sorted(held.values())
            even = len(held) == 4 and counts[0] >= 75 and counts[-1] <= 125
            play.check("connections of each", str(counts), "75 to 125", even)


def all_serve(victim: Victim) -> bool:
    """Whether every worker answers some of forty clients, or all that there is of them."""
    with ExitStack() as stack:
        clients = [stack.enter_context(Connection(victim.address)) for _ in range(40)]
        for client in clients:
            client.send(http_request(target="/probe?n=1"))
        seen = {int(client.read_response().body.split()[1]) for client in clients}
    return seen == set(victim.workers())
