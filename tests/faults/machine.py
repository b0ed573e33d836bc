"""The machine under the server: full disks, a log that nobody reads, a clock that jumps (F41-F43)."""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from tests.faults import ours
from tests.faults.kinds import ACCESS_LOG, OURS, Wish
from tests.faults.machine_use import descriptors
from tests.faults.play import fault
from tests.faults.servers import eventually
from tests.log import Log
from tests.wire import Connection, http_request

if TYPE_CHECKING:
    from tests.faults.play import Play
    from tests.faults.prober import Prober
    from tests.faults.servers import Victim

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")


def small_disk(place: Path, size: str, then: str = 'exec "$@"') -> tuple[str, ...]:
    """A wrapper: the server sees a file system of this size there, and nobody else does."""
    place.mkdir()
    script = f"mount -t tmpfs -o size={size} none {place} && {then}"
    return ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh")


def seen_from(victim: Victim, place: Path) -> Path:
    """That place as the server sees it."""
    return Path(f"/proc/{victim.pid}/root{place}")


def write_much(play: Play, victim: Victim, prober: Prober) -> None:
    """Requests that each leave a line or more in the log; no more of them when they hang."""
    hung = 0
    for _ in range(play.size("requests")):
        began = time.monotonic()
        with suppress(OSError, AssertionError):
            victim.get("/raise?kind=BaseException&where=call", 2.0)
        hung += time.monotonic() - began >= 2.0
        if hung > 2:
            break
    play.check("requests that hang", str(hung), "0", hung == 0)
    prober.wait_for(50)


@fault(
    "F41",
    "the disk of the log is full",
    needs=[ACCESS_LOG],
    sizes={"requests": (200, 10_000)},
    limits={"log goes on": 1.0},
)
def log_disk_full(play: Play) -> None:
    """Nobody waits for it; when there is room again, lines come again, and what was lost is told."""
    place = play.directory / "disk"
    log = place / "log"
    wrapper = small_disk(place, "256k", f'exec "$@" >>{log} 2>&1')
    with play.server(
        Wish(access_log=True), wrapper=wrapper, output=os.open(os.devnull, os.O_WRONLY)
    ) as victim:
        inside = seen_from(victim, place)
        fill(inside / "rubbish")
        with play.probing(victim) as prober:
            write_much(play, victim, prober)
            (inside / "rubbish").unlink()
            size = (inside / "log").stat().st_size
            began = time.monotonic()
            with suppress(AssertionError):
                eventually(lambda: (inside / "log").stat().st_size > size, 20, "the log goes on")
            play.within("log goes on", time.monotonic() - began)
            prober.wait_for(50)
        if OURS in play.kind.features:
            lost_lines(play, victim, lambda: (inside / "log").read_text("utf-8", "replace"))
    play.none_failed(prober)


def fill(path: Path) -> None:
    """Takes all room that is left."""
    with suppress(OSError), path.open("wb", buffering=0) as rubbish:
        while True:
            rubbish.write(b"x" * 4096)


def lost_lines(play: Play, victim: Victim, log: Callable[[], str]) -> None:
    """Each request left one line, or the log says how many were lost."""
    due = play.size("requests")
    with suppress(AssertionError):
        eventually(lambda: told(log()) + written(log()) >= due, 10, "all lines are there, or told to be lost")
    found = f"{due - written(log())} lost, {told(log())} told"
    play.check("lines lost are told", found, "no more than told", told(log()) + written(log()) >= due)
    counted = ours.total(victim, "log_lines_dropped")
    play.check("status counts them", str(counted), f"{told(log())}", counted >= told(log()))


def written(log: str) -> int:
    """How many of the requests left their line."""
    return log.count("PlannedBaseError: planned")


def told(log: str) -> int:
    """How many lines the log says were lost."""
    return sum(
        int(count) for count in re.findall(r"(\d+) (?:log )?lines? (?:were |was )?(?:lost|dropped)", log)
    )


@fault(
    "F41b",
    "nobody reads the pipe of the log",
    needs=[ACCESS_LOG],
    sizes={"requests": (200, 10_000)},
    limits={"log goes on": 1.0},
)
def log_pipe_blocked(play: Play) -> None:
    """Nobody waits for the reader; when it reads again, lines come again."""
    reading, writing = os.pipe()
    with play.server(Wish(access_log=True), output=writing) as victim:
        os.close(writing)
        with play.probing(victim) as prober:
            write_much(play, victim, prober)
            log, began = Log(os.fdopen(reading, "rb")), time.monotonic()
            eventually(lambda: log.mark() > 0, 10, "the pipe is read")
            before = log.mark()
            with suppress(AssertionError):
                eventually(lambda: log.mark() > before + 200, 20, "the log goes on")
            play.within("log goes on", max(0.0, time.monotonic() - began - 1.0))
            prober.wait_for(50)
        if OURS in play.kind.features:
            lost_lines(play, victim, log.text)
    play.none_failed(prober)


@fault(
    "F41c",
    "the terminal of the log is gone (EIO)",
    needs=[ACCESS_LOG],
    sizes={"requests": (200, 10_000)},
)
def log_terminal_gone(play: Play) -> None:
    """Every write fails from then on; nobody waits for it, and the lines are counted."""
    ours_end, servers_end = os.openpty()
    with play.server(Wish(access_log=True), output=servers_end) as victim:
        os.close(servers_end)
        os.close(ours_end)
        with play.probing(victim) as prober:
            write_much(play, victim, prober)
        if OURS in play.kind.features:
            due, counted = play.size("requests"), ours.total(victim, "log_lines_dropped")
            play.check("status counts them", str(counted), f"at least {due}", counted >= due)
        play.check("still serving", str(victim.answers()), "True", victim.answers())
    play.none_failed(prober)


@fault(
    "F42", "the disk for temporary files is full", sizes={"uploads": (5, 50)}, limits={"files left open": 1}
)
def spool_disk_full(play: Play) -> None:
    """A large body is refused, or needs no disk; small ones are served, nothing stays open."""
    place = play.directory / "disk"
    env = {"TMPDIR": str(place)}
    with play.server(Wish(), wrapper=small_disk(place, "512k"), env=env) as victim:
        if OURS not in play.kind.features:
            time.sleep(0.5)
        before = sum(map(descriptors, victim.workers()))
        with play.probing(victim) as prober:
            found: dict[str, int] = {}
            for _ in range(play.size("uploads")):
                status = upload(victim, 2_000_000)
                found[status] = found.get(status, 0) + 1
            prober.wait_for(20)
        fine = set(found) <= {"200", "413", "500", "503", "507"}
        play.check("large uploads", str(found), "served, or refused with 507 or 500", fine)
        play.check("a small upload", upload(victim, 1000), "200", upload(victim, 1000) == "200")
        with suppress(AssertionError):
            eventually(lambda: sum(map(descriptors, victim.workers())) <= before + 1, 5, "files are closed")
        play.at_most("files left open", max(0, sum(map(descriptors, victim.workers())) - before))
    play.none_failed(prober)


def upload(victim: Victim, size: int) -> str:
    """The status of one upload, or how its connection ended."""
    try:
        with Connection(victim.address) as connection:
            with suppress(ConnectionError):
                connection.send(http_request("POST", "/echo", body=b"x" * size))
            return str(connection.read_response().status)
    except (OSError, AssertionError) as error:
        return type(error).__name__


@fault(
    "F43",
    "the clock jumps an hour, forth and back",
    sizes={"seconds": (0, 10)},
    limits={"Date is wrong by": 1.0},
)
def clock_jumps(play: Play) -> None:
    """Nothing ends early, nobody is killed, and Date follows."""
    assert FAKETIME.exists(), f"{FAKETIME} is missing: run tools/system_packages.sh"
    shift = play.directory / "shift"
    shift.write_text("+0\n")
    env = {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(shift),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    wish = Wish(request_timeout=60)
    with play.server(wish, env=env) as victim, play.probing(victim) as prober:
        workers = victim.workers()
        with Connection(victim.address) as kept, Connection(victim.address, 60.0) as inside:
            kept.send(http_request(target="/probe?n=1"))
            kept.read_response()
            # In the application while the clock jumps an hour: its time is not over.
            # It computes, since sleeping fails under this library.
            inside.send(http_request(target="/hang?how=spin&seconds=3"))
            for hours in (1, -1, 0):
                # In place: the library reads it again at each call, and must not find it empty.
                new = play.directory / "shift.new"
                new.write_text(f"{hours * 3600:+d}\n")
                new.rename(shift)
                time.sleep(play.seconds("seconds") + 1.1)
                play.within("Date is wrong by", date_error(victim, hours * 3600))
            kept.send(http_request(target="/probe?n=1"))
            status = kept.read_response().status
            play.check("a connection of before the jumps", str(status), "200", status == 200)
            status = inside.read_response().status
            play.check("a request of before the jumps", str(status), "200", status == 200)
        same = victim.workers() == workers
        play.check("same workers", str(same), "True", same)
    play.none_failed(prober)


def date_error(victim: Victim, shift: float) -> float:
    """How far the Date of an answer is from what the server's clock says, cut to seconds; 0 where none is sent."""
    before = int(time.time())
    date = victim.get("/probe?n=1").get("Date")
    said = parsedate_to_datetime(date).timestamp() - shift if date else before
    return max(0.0, before - said, said - time.time())
