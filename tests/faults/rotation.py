"""Log files that are moved away or emptied under load (F44)."""

from __future__ import annotations

import re
import shutil
import signal
import threading
import time
from typing import TYPE_CHECKING, Callable

from tests.faults.kinds import LOG_FILE, Wish
from tests.faults.play import fault
from tests.faults.servers import eventually
from tests.faults.storms import CONNECTIONS, trouble, wrk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.play import Play
    from tests.faults.servers import Victim

_REQUEST = re.compile(rb'"GET /probe\?n=\d HTTP/1\.[01]" 200 ')
SIZES = {"seconds": (3.0, 30.0), "rotations": (4.0, 20.0)}


def loaded(play: Play, victim: Victim, turn: Callable[[int], None]) -> int:
    """How many answers wrk had, while one turn came after the other."""
    shown: list[str] = []
    seconds = play.size("seconds")
    load = threading.Thread(target=lambda: shown.append(wrk(victim, seconds)), daemon=True)
    load.start()
    for number in range(play.size("rotations")):
        time.sleep(seconds / (play.size("rotations") + 1))
        turn(number)
    load.join(seconds + 60)
    return trouble(shown[0])["answered"] if shown else 0


def lines(paths: list[Path]) -> list[bytes]:
    """All lines about requests, or pieces of such."""
    found = b"".join(path.read_bytes() for path in paths).split(b"\n")
    # The runner asked for number 0 until there was an answer.
    found = [line for line in found if b"/probe?n=0 " not in line]
    return [line for line in found if b"/probe" in line or b"HTTP/1" in line or b"\0" in line]


def torn(found: list[bytes]) -> int:
    """How many lines are not one whole request."""
    return sum(len(_REQUEST.findall(line)) != 1 or line.count(b"/probe") != 1 for line in found)


@fault(
    "F44", "log files are moved away, and USR1", needs=[LOG_FILE], sizes=SIZES, limits={"torn": 0, "lost": 0}
)
def moved(play: Play) -> None:
    """Each answer is in one of the files, once, in a line of its own."""
    path = play.directory / "access.log"
    with play.server(Wish(access_log=True, log_file=str(path))) as victim:
        eventually(lambda: path.exists(), 10, "there is a log file")

        def move(number: int) -> None:
            path.rename(play.directory / f"access.log.{number}")
            victim.send(signal.SIGUSR1)
            eventually(path.exists, 10, "the log file is opened anew")

        answered = loaded(play, victim, move)
        files = sorted(play.directory.glob("access.log*"))
        eventually(lambda: len(lines(files)) >= answered, 10, f"{answered} lines")
        time.sleep(0.3)
        found = lines(files)
        least = 100_000 if play.full else 100
        play.check("lines", str(answered), f"at least {least}", answered >= least)
        play.at_most("torn", torn(found))
        play.at_most("lost", max(0, answered - len(found)))
        more = len(found) - answered
        play.check("written twice", str(more), f"{CONNECTIONS} cut at the end", more <= CONNECTIONS)


@fault(
    "F44b", "log files are copied and emptied", needs=[LOG_FILE], sizes=SIZES, limits={"torn": 0}, daily=False
)
def copied(play: Play) -> None:
    """What is written between the two is lost; all else is whole, and the file has no holes."""
    path = play.directory / "access.log"
    with play.server(Wish(access_log=True, log_file=str(path))) as victim:
        eventually(lambda: path.exists(), 10, "there is a log file")

        def copy(number: int) -> None:
            shutil.copyfile(path, play.directory / f"copy.{number}")
            with path.open("r+b") as log:
                log.truncate(0)

        answered = loaded(play, victim, copy)
        found = lines([path])
        play.check("lines after the last time", str(len(found)), "some", 0 < len(found) <= answered)
        play.at_most("torn", torn(found[1:]))
        holes = path.read_bytes().count(b"\0")
        play.check("holes", str(holes), "0", holes == 0)
