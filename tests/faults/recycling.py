"""Workers that are replaced because of what they did or use: requests, memory (F12, F38)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.faults.kinds import RECYCLING, RSS, Wish
from tests.faults.play import fault
from tests.faults.reloads import Census

if TYPE_CHECKING:
    from tests.faults.play import Play


@fault(
    "F12",
    "workers recycled after so many requests, under kept connections",
    needs=[RECYCLING],
    sizes={"requests": (800, 100_000), "each": (100, 100), "rate": (200, 500)},
)
def recycled(play: Play) -> None:
    """No client sees more of it than `Connection: close`."""
    wish = Wish(max_requests=play.size("each"))
    with play.server(wish) as victim:
        first = set(victim.workers())
        with play.probing(victim, rate=play.size("rate")) as prober, Census(victim) as census:
            while prober.tally.done < play.size("requests"):
                prober.wait_for(100)
        least = play.size("requests") // play.size("each") // 3
        used = len(prober.tally.pids)
        play.check("processes that served", str(used), f"at least {least}", used >= least)
        gone = not first & set(victim.workers())
        play.check("the first ones are gone", str(gone), "True", gone)
        play.check("fewest workers", str(census.fewest), "1", census.fewest >= 1)
    play.none_failed(prober)


@fault(
    "F38",
    "an application that leaks memory",
    needs=[RSS],
    sizes={"MiB": (250, 1000), "seconds": (30, 90)},
    daily=False,
)
def leaking(play: Play) -> None:
    """A worker that is too large is replaced, and nobody fails."""
    with play.server(Wish(max_rss_mib=120)) as victim:
        first = set(victim.workers())
        with play.probing(victim) as prober:
            leaked, until = 0, time.monotonic() + play.seconds("seconds")
            while time.monotonic() < until and (leaked < play.size("MiB") or first & set(victim.workers())):
                leaked += victim.get("/leak").status == 200
                time.sleep(0.002)
            prober.wait_for(50)
        left = len(first & set(victim.workers()))
        play.check("first workers still there", str(left), "0", left == 0)
        play.check("the master lives", str(victim.is_alive()), "True", victim.is_alive())
    play.none_failed(prober)
