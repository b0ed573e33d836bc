"""More clients than there is anything for: idle ones by the thousand, and no descriptors (F24, F26)."""

from __future__ import annotations

import os
import resource
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from tests.faults.booting import end, refuse
from tests.faults.kinds import OURS, Wish
from tests.faults.machine_use import cpu_seconds, descriptors, own_memory
from tests.faults.play import fault
from tests.wire import Connection, http_request

if TYPE_CHECKING:
    import socket
    from collections.abc import Generator

    from tests.faults.play import Play
    from tests.faults.servers import Victim


@contextmanager
def room_for_clients(count: int) -> Generator[None]:
    """Lets this process have so many more descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, count + 200)
    assert hard in (resource.RLIM_INFINITY,) or wanted <= hard, f"the limit on open files is {hard}"
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@fault(
    "F24",
    "thousands of idle kept connections",
    sizes={"connections": (1000, 10_000), "seconds": (1, 10)},
    limits={"KiB each": 8, "share of a core when idle": 0.01, "p99 against before": 1.2},
)
def idle_connections(play: Play) -> None:
    """They cost some memory and nothing else."""
    count = play.size("connections")
    with room_for_clients(count), play.server(Wish()) as victim:
        with play.probing(victim) as prober:
            prober.wait_for(150)
        before, memory = prober.tally.p99(), own_memory(victim)
        with ExitStack() as stack:
            kept = 0
            for _ in range(count):
                client = stack.enter_context(Connection(victim.address))
                client.send(http_request(target="/probe?n=1"))
                kept += client.read_response().status == 200
            play.check("connections kept", f"{kept} of {count}", str(count), kept == count)
            play.at_most("KiB each", round(max(0, own_memory(victim) - memory) / count / 1024, 2))
            time.sleep(0.5)
            used, seconds = cpu_seconds(victim), play.seconds("seconds")
            time.sleep(seconds)
            # The clock of the processes counts in steps of 10 ms.
            share = max(0.0, cpu_seconds(victim) - used - 0.02) / seconds
            play.at_most("share of a core when idle", round(share, 4))
            with play.probing(victim) as prober:
                prober.wait_for(150)
            after = prober.tally.p99()
    play.as_before(after, before, 0.01)
    play.none_failed(prober)


@fault(
    "F26",
    "no descriptors left",
    sizes={"clients": (200, 200), "seconds": (2, 10)},
    limits={"share of a core": 0.2, "log lines a second": 1, "recovery": 1.0},
)
def no_descriptors(play: Play) -> None:
    """Workers that may open ten more files, and two hundred clients: nobody spins, nobody served suffers."""
    with play.server(Wish()) as victim, ExitStack() as stack:
        old = [stack.enter_context(Connection(victim.address)) for _ in range(4)]
        for client in old:
            client.send(http_request(target="/probe?n=1"))
            client.read_response()
        workers = victim.workers()
        for pid in workers:
            leave_descriptors(pid, 10)
        crowd = [stack.enter_context(silent_client(victim)) for _ in range(play.size("clients"))]
        mark, used, seconds = victim.log.mark(), cpu_seconds(victim), play.seconds("seconds")
        time.sleep(seconds)
        share = max(0.0, cpu_seconds(victim) - used - 0.02) / seconds
        play.at_most("share of a core", round(share, 3))
        lines = max(0, len(victim.log.lines(mark)) - 2 * len(workers)) / seconds
        play.at_most("log lines a second", round(lines, 1))
        if OURS in play.kind.features:
            told = sum(told_unavailable(client) for client in crowd)
            play.check("told 503 through the reserve", str(told), "some", told > 0)
        answered = sum(answers_on(client) for client in old)
        play.check("kept connections served", f"{answered} of 4", "4", answered == 4)
        same = victim.workers() == workers
        play.check("same workers", str(same), "True", same)
        for client in crowd:
            client.close()
        began = time.monotonic()
        while not victim.answers():
            assert time.monotonic() - began < 30, "no recovery"
        play.within("recovery", time.monotonic() - began)


@fault(
    "F26b",
    "the system refuses connections (ENFILE, ENOBUFS, ECONNABORTED)",
    sizes={"seconds": (1, 5)},
    limits={"share of a core": 0.2, "log lines a second": 1, "recovery": 1.0},
)
def cannot_accept(play: Play) -> None:
    """strace has accept fail in every worker while clients come: nobody spins, and kept connections are served."""
    with play.server(Wish()) as victim:
        for error in ("ENFILE", "ENOBUFS", "ECONNABORTED"):
            with ExitStack() as stack:
                old = [stack.enter_context(Connection(victim.address)) for _ in range(4)]
                for client in old:
                    client.send(http_request(target="/probe?n=1"))
                    client.read_response()
                tracers = [
                    refuse(pid, "accept,accept4", play.directory / f"{error}-{pid}", error)
                    for pid in victim.workers()
                ]
                look_while_refused(play, victim, error, old, stack)
                for tracer in tracers:
                    end(tracer)
                began = time.monotonic()
                while not victim.answers():
                    assert time.monotonic() - began < 30, "no recovery"
                play.within("recovery", time.monotonic() - began)


def look_while_refused(
    play: Play, victim: Victim, error: str, old: list[Connection], stack: ExitStack
) -> None:
    """Twenty clients that nobody takes, and four that somebody has."""
    for _ in range(20):
        stack.enter_context(silent_client(victim))
    mark, used, seconds = victim.log.mark(), cpu_seconds(victim), play.seconds("seconds")
    time.sleep(seconds)
    share = max(0.0, cpu_seconds(victim) - used - 0.02) / seconds
    play.at_most("share of a core", round(share, 3), error)
    # Each worker may say it once at first.
    lines = max(0, len(victim.log.lines(mark)) - victim.wish.workers) / seconds
    play.at_most("log lines a second", round(lines, 1), error)
    answered = sum(answers_on(client) for client in old)
    play.check("kept connections served", f"{answered} of 4 ({error})", "4", answered == 4)


def told_unavailable(client: socket.socket) -> bool:
    """Whether a client that said nothing was told 503."""
    client.settimeout(0.01)
    with suppress(OSError):
        return client.recv(4096).startswith(b"HTTP/1.1 503 ")
    return False


def leave_descriptors(pid: int, more: int) -> None:
    """Leaves a running process so many."""
    highest = max(int(name) for name in os.listdir(f"/proc/{pid}/fd"))
    limit = max(descriptors(pid), highest + 1) + more
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, limit))


def silent_client(victim: Victim) -> socket.socket:
    """Connects and says nothing."""
    return victim.address.connect()


def answers_on(client: Connection) -> bool:
    """Whether a kept connection still works."""
    with suppress(OSError, AssertionError):
        client.send(http_request(target="/probe?n=1"))
        return client.read_response().status == 200
    return False
