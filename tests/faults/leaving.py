"""Clients that close half, reset or leave in the middle, and bodies that never end (F21-F23, F40)."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Callable

from tests.faults.kinds import Wish
from tests.faults.machine_use import cpu_seconds, descriptors
from tests.faults.play import fault
from tests.faults.servers import eventually
from tests.wire import Connection, http_request

if TYPE_CHECKING:
    from tests.faults.play import Play
    from tests.faults.servers import Victim


@fault(
    "F21",
    "clients that close their half after the request",
    sizes={"answers": (20, 500), "idle": (100, 1000), "seconds": (1, 10)},
    limits={"share of a core when idle": 0.01},
)
def half_close(play: Play) -> None:
    """The answer comes whole; many that wait behind eight slow requests cost nothing meanwhile."""
    with play.server(Wish()) as victim:
        count = play.size("answers")
        whole = sum(answers_half_closed(victim) for _ in range(count))
        play.check("whole answers", f"{whole} of {count}", str(count), whole == count)
        with ExitStack() as stack:
            hold = f"/hang?how=sleep&seconds={play.seconds('seconds') + 2}"
            targets = [hold] * 8 + ["/probe?n=1"] * play.size("idle")
            waiting = [stack.enter_context(Connection(victim.address, 60.0)) for _ in targets]
            for client, target in zip(waiting, targets):
                client.send(http_request(target=target))
                client.half_close()
            idle(play, victim)
            whole = sum(client.read_response().status == 200 for client in waiting)
            total = len(waiting)
            play.check("answers after the wait", f"{whole} of {total}", str(total), whole == total)
        play.check("still serving", str(victim.answers()), "True", victim.answers())


def idle(play: Play, victim: Victim) -> None:
    """What the server uses while nothing happens, beyond what was to be done for those that just came."""
    time.sleep(0.5)
    before, seconds = cpu_seconds(victim), play.seconds("seconds")
    time.sleep(seconds)
    # The clock of the processes counts in steps of 10 ms.
    used = max(0.0, cpu_seconds(victim) - before - 0.02)
    play.at_most("share of a core when idle", round(used / seconds, 4))


def answers_half_closed(victim: Victim) -> bool:
    """Whether a whole download comes after the client's end."""
    with suppress(OSError, AssertionError), Connection(victim.address) as connection:
        connection.send(http_request(target="/download?kib=256"))
        connection.half_close()
        return len(connection.read_response().body) == 256 * 1024
    return False


def in_the_head(connection: Connection, name: str) -> None:
    """Half a head."""
    connection.send(f"GET /stream?id={name} HTTP/1.1\r\nHost: ".encode())


def in_the_body(connection: Connection, name: str) -> None:
    """Half a body."""
    connection.send(http_request("POST", f"/reads?id={name}", {"Content-Length": "100000"}) + b"x" * 50_000)


def before_the_answer(connection: Connection, name: str) -> None:
    """Right after the request."""
    connection.send(http_request(target=f"/download?id={name}&kib=64"))


def in_the_answer(connection: Connection, name: str) -> None:
    """With the head of a stream."""
    connection.send(http_request(target=f"/stream?id={name}"))
    connection.read_head()


PLACES: list[Callable[[Connection, str], None]] = [in_the_head, in_the_body, before_the_answer, in_the_answer]


@fault(
    "F22",
    "resets in the middle of requests and answers",
    sizes={"resets": (200, 10_000)},
    limits={"descriptors more or fewer": 2, "streams not closed once": 0},
)
def resets(play: Play) -> None:
    """No traceback, nothing left behind, nobody else harmed."""
    with play.server(Wish()) as victim:
        with play.probing(victim) as prober:
            prober.wait_for(50)
        before, mark = settled_descriptors(victim), victim.log.mark()
        with play.probing(victim) as prober:
            for number in range(play.size("resets")):
                with suppress(OSError, AssertionError):
                    connection = Connection(victim.address)
                    PLACES[number % len(PLACES)](connection, str(number))
                    connection.reset()
            prober.wait_for(50)
        play.none_failed(prober)
        play.at_most("descriptors more or fewer", abs(settled_descriptors(victim) - before))
        closed = Counter(name for (name,) in victim.project.events("closed"))
        streams = [str(number) for number in range(3, play.size("resets"), len(PLACES))]
        play.at_most("streams not closed once", sum(closed[name] != 1 for name in streams))
        told = len(victim.log.find("Traceback", mark))
        play.check("tracebacks", str(told), "0", told == 0)
        play.check("still serving", str(victim.answers()), "True", victim.answers())


def settled_descriptors(victim: Victim) -> int:
    """Open files of all workers, once they have closed what their clients left."""
    count, since = -1, time.monotonic()
    while time.monotonic() - since < 0.2:
        now = sum(map(descriptors, victim.workers()))
        if now != count:
            count, since = now, time.monotonic()
        time.sleep(0.02)
    return count


@fault(
    "F23",
    "clients that leave a stream: close() runs",
    sizes={"clients": (20, 1000)},
    limits={"seconds until close()": 1.0},
)
def leaving_a_stream(play: Play) -> None:
    """Once for each, within a second, while the application yields."""
    count, slowest = play.size("clients"), 0.0
    with play.server(Wish()) as victim:
        for number in range(count):
            connection = Connection(victim.address)
            in_the_answer(connection, str(number))
            if number % 2:
                connection.reset()
            else:
                connection.close()
            with suppress(AssertionError):
                took = eventually(
                    lambda name=str(number): [name] in victim.project.events("closed")[-20:],
                    play.limit("seconds until close()") + 1,
                    "close() runs",
                )
                slowest = max(slowest, took)
        closed = Counter(name for (name,) in victim.project.events("closed"))
        once = sum(closed[str(number)] == 1 for number in range(count))
        play.check("closed once", f"{once} of {count}", str(count), once == count)
        play.within("seconds until close()", slowest)


@fault(
    "F23b",
    "clients that leave a stream that gives nothing for a while: close() runs",
    sizes={"clients": (4, 8), "idle": (2, 5)},
    limits={"seconds until close() after its next resume": 1.0},
)
def leaving_an_idle_stream(play: Play) -> None:
    """Once for each, at the next resume at the latest."""
    count, idle_for = play.size("clients"), play.seconds("idle")
    with play.server(Wish()) as victim:
        for number in range(count):
            with Connection(victim.address) as connection:
                connection.send(http_request(target=f"/stream?id={number}&idle={idle_for}"))
                connection.read_head()
                if number % 2:
                    connection.reset()
        began = time.monotonic()
        with suppress(AssertionError):
            eventually(lambda: len(victim.project.events("closed")) >= count, idle_for + 20, "close() runs")
        play.within(
            "seconds until close() after its next resume", max(0.0, time.monotonic() - began - idle_for)
        )
        closed = Counter(name for (name,) in victim.project.events("closed"))
        once = sum(closed[str(number)] == 1 for number in range(count))
        play.check("closed once", f"{once} of {count}", str(count), once == count)
        play.check("still serving", str(victim.answers()), "True", victim.answers())


#: Requests whose body ends before it is whole, or is no body at all.
TRUNCATED = (
    b"Content-Length: 50\r\n\r\nhello",
    b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
    b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nhello\r\n0\r\n\r\n",
)


@fault("F40", "request bodies that are cut short", sizes={"bodies": (100, 1000)}, limits={"seen as whole": 0})
def truncated_bodies(play: Play) -> None:
    """No application takes half a body for a whole one: reading raises, or the request never gets there."""
    count = play.size("bodies")
    with play.server(Wish()) as victim:
        for number in range(count):
            with suppress(OSError), Connection(victim.address, 5.0) as connection:
                head = f"POST /reads?id={number} HTTP/1.1\r\nHost: a\r\n".encode()
                connection.send(head + TRUNCATED[number % len(TRUNCATED)])
                connection.half_close()
                while connection.socket.recv(65536):
                    pass
        whole = http_request("POST", "/reads?id=whole", body=b"x" * 1000)
        with Connection(victim.address) as connection:
            connection.send(whole)
            connection.read_response()
        seen = victim.project.events("complete")
        play.check("a whole body is", str(["whole", "1000"] in seen), "True", ["whole", "1000"] in seen)
        play.at_most("seen as whole", sum(name != "whole" for name, _ in seen))
