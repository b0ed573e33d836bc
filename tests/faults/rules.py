"""Applications that break the rules: raise anywhere, give bad heads, lie about lengths (F31-F36, F39)."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING

from tests.faults import ours
from tests.faults.kinds import OURS, Wish
from tests.faults.play import fault
from tests.faults.servers import eventually
from tests.wire import Connection, Response, Truncated, exchange, http_request

if TYPE_CHECKING:
    from tests.faults.play import Play
    from tests.faults.servers import Victim

#: What a client saw: a status, or how its connection ended.
TRUNCATED, CLOSED, HUNG = "truncated", "closed", "hung"

#: Seconds without an answer.
HANGS = 5.0
KINDS = ("SystemExit", "KeyboardInterrupt", "GeneratorExit", "BaseException")
BAD_HEADS = (
    "value-not-text",
    "value-crlf",
    "value-nul",
    "name-crlf",
    "name-empty",
    "two-lengths",
    "length-no-number",
    "status-crlf",
    "status-long",
    "status-not-text",
    "hop-by-hop",
)


def seen(victim: Victim, target: str) -> tuple[str, Response | None]:
    """What a client sees of one answer, keeping its connection: the status, or how it ended."""
    try:
        answer = exchange(victim.address, http_request(target=target), timeout=HANGS)
    except Truncated as error:
        return TRUNCATED if error.body else CLOSED, None
    except (TimeoutError, socket.timeout):
        return HUNG, None
    except OSError:
        return CLOSED, None
    return str(answer.status), answer


def count_of(victim: Victim, target: str, wanted: str, rounds: int) -> int:
    """How often a client saw this."""
    return sum(seen(victim, target)[0] == wanted for _ in range(rounds))


def all_of(play: Play, what: str, found: int, rounds: int) -> None:
    """Each time, or it does not count."""
    play.check(what, f"{found} of {rounds}", str(rounds), found == rounds)


def in_the_log(play: Play, victim: Victim, pattern: str, due: int) -> None:
    """So many lines are in the log, or were told to be lost."""

    def found() -> int:
        return len(victim.log.find(pattern)) + ours.total(victim, "log_lines_dropped")

    with contextlib.suppress(AssertionError):
        eventually(lambda: found() >= due, 10, "all lines are there")
    play.check(f"log lines with {pattern!r}", str(found()), str(due), found() >= due)


@fault(
    "F31",
    "the iterable raises after the head is out",
    sizes={"rounds": (50, 1000)},
)
def iterable_raises(play: Play) -> None:
    """The client can tell that the answer is not whole: with a length, and without."""
    rounds = play.size("rounds")
    with play.server(Wish()) as victim:
        for name, target in {"chunked": "/breaks", "with a length": "/breaks?sized=1"}.items():
            found = count_of(victim, target, TRUNCATED, rounds)
            all_of(play, f"{name}: seen as cut short", found, rounds)
        if OURS in play.kind.features:
            in_the_log(play, victim, r"RuntimeError: planned, in the iterable", 2 * rounds)
        play.check("still serving", str(victim.answers()), "True", victim.answers())


@fault(
    "F32",
    "SystemExit, KeyboardInterrupt and their like from the application",
    sizes={"rounds": (3, 100)},
)
def exits(play: Play) -> None:
    """From the call, from the iterable's first step, and from close(), which comes after the answer."""
    rounds = play.size("rounds")
    with play.server(Wish()) as victim:
        workers = victim.workers()
        for where in ("call", "first"):
            found = sum(
                count_of(victim, f"/raise?kind={kind}&where={where}", "500", rounds) for kind in KINDS
            )
            all_of(play, f"500 when raised in the {where}", found, rounds * len(KINDS))
        found = sum(
            count_of(victim, f"/raise?kind={kind}&where=close&length=12", "200", rounds) for kind in KINDS
        )
        all_of(play, "200 when raised in close()", found, rounds * len(KINDS))
        same = victim.workers() == workers
        play.check("same workers afterwards", str(same), "True", same)
        if OURS in play.kind.features:
            in_the_log(play, victim, r"^\s+[\w.]*(Exit|Interrupt|Error): planned$", 3 * rounds * len(KINDS))


@fault(
    "F33",
    "close() raises, or blocks",
    sizes={"rounds": (10, 100), "blocks": (3, 60)},
    limits={"answer while close() blocks": 1.0},
)
def bad_close(play: Play) -> None:
    """The answer is whole at once either way."""
    rounds, blocks = play.size("rounds"), play.seconds("blocks")
    with play.server(Wish()) as victim:
        found = count_of(victim, "/close?seconds=0", "200", rounds)
        all_of(play, "whole answers though close() raises", found, rounds)
        began = time.monotonic()
        status, _ = seen(victim, f"/close?seconds={blocks}")
        play.check("status while close() blocks", status, "200", status == "200")
        # The limit stays below the time for which close() blocks.
        took = time.monotonic() - began
        play.check("answer while close() blocks", f"{took:.3g} s", "1 s", took <= 1.0)
        play.check("still serving", str(victim.answers()), "True", victim.answers())
    if OURS in play.kind.features:
        close_in_time(play)


def close_in_time(play: Play) -> None:
    """Its time is the request's: what close() does beyond the time-out is in the log."""
    with play.server(Wish(request_timeout=1, more=("--timeout-grace", "1s"))) as victim:
        status, _ = seen(victim, "/close?seconds=30")
        play.check("status before close() runs into the time-out", status, "200", status == "200")
        with contextlib.suppress(AssertionError):
            eventually(lambda: victim.log.find(r'faulty.py", line \d+,? in close'), 10, "its stack is logged")
        told = bool(victim.log.find(r'faulty.py", line \d+,? in close'))
        play.check("the log has the stack of close()", str(told), "True", told)


@fault(
    "F34",
    "statuses and fields that no answer may have",
    sizes={"rounds": (2, 20), "junk": (1000, 10_000)},
)
def bad_heads(play: Play) -> None:
    """Each is a 500, and nothing of it reaches the client."""
    rounds = play.size("rounds")
    with play.server(Wish()) as victim:
        workers = victim.workers()
        wrong: dict[str, str] = {}
        for _ in range(rounds):
            for kind in BAD_HEADS:
                status, answer = seen_raw(victim, f"/head?kind={kind}")
                if status != "500" or b"injected" in answer.lower():
                    wrong[kind] = status + (" injected" if b"injected" in answer.lower() else "")
        found = ", ".join(f"{kind}: {status}" for kind, status in wrong.items())
        play.check("bad heads not answered with 500", found or "none", "none", not wrong)
        if OURS in play.kind.features:
            # Before anything is sent it may be replaced: thousands of wrong calls, and a right one.
            status, _ = seen(victim, f"/junk?seed=34&count={play.size('junk')}")
            play.check("status after junk", status, "200", status == "200")
            in_the_log(play, victim, "GET /head failed: answered with 500", rounds * len(BAD_HEADS))
        same = victim.workers() == workers
        play.check("same workers afterwards", str(same), "True", same)


def seen_raw(victim: Victim, target: str) -> tuple[str, bytes]:
    """The status and all bytes, however little they are HTTP."""
    received = b""
    with contextlib.suppress(OSError), Connection(victim.address, 3.0) as connection:
        connection.send(http_request(target=target, fields={"Connection": "close"}))
        while data := connection.socket.recv(65536):
            received += data
    return received[9:12].decode("latin-1") or CLOSED, received


@fault("F35", "start_response never called, called twice, called late", sizes={"rounds": (5, 100)})
def wrong_calls(play: Play) -> None:
    """What PEP 3333 says of each."""
    rounds = play.size("rounds")
    expected = {"never": "500", "twice": "500", "replaced": "503", "late": TRUNCATED}
    with play.server(Wish()) as victim:
        for name, wanted in expected.items():
            found = count_of(victim, f"/start-response-{name}", wanted, rounds)
            all_of(play, f"{name}: {wanted}", found, rounds)
        play.check("still serving", str(victim.answers()), "True", victim.answers())


@fault("F36", "more bytes than Content-Length says, or fewer", sizes={"rounds": (20, 500)})
def wrong_lengths(play: Play) -> None:
    """Too long is cut and the connection is safe to use; too short is seen as cut short."""
    rounds = play.size("rounds")
    with play.server(Wish()) as victim:
        found = count_of(victim, "/length?says=100&sends=40", TRUNCATED, rounds)
        all_of(play, "too few: seen as cut short", found, rounds)
        found = sum(long_is_cut(victim) for _ in range(rounds))
        all_of(play, "too many: cut, and the next answer right", found, rounds)
        if OURS in play.kind.features:
            in_the_log(play, victim, "GET /length.*Content-Length", 2 * rounds)


def long_is_cut(victim: Victim) -> bool:
    """Whether a too long answer is followed by nothing but the right answer to the next request, or by the end."""
    with Connection(victim.address) as connection:
        connection.send(http_request(target="/length?says=40&sends=100"))
        if connection.read_response().body != b"x" * 40:
            return False
        try:
            connection.send(http_request(target="/probe?n=7"))
            return connection.read_response().body.startswith(b"7 ")
        except Truncated as error:
            return not error.body
        except ConnectionError:
            return True
        except AssertionError:
            return False


@fault("F39", "an extension written in Rust panics in the application", sizes={"rounds": (50, 1000)})
def panics(play: Play) -> None:
    """It reaches the server as an exception that is no Exception."""
    rounds = play.size("rounds")
    with play.server(Wish()) as victim, play.probing(victim) as prober:
        workers = victim.workers()
        found = count_of(victim, "/panics", "500", rounds)
        all_of(play, "500", found, rounds)
        prober.wait_for(20)
        same = victim.workers() == workers
        play.check("same workers afterwards", str(same), "True", same)
        if OURS in play.kind.features:
            counted = ours.total(victim, "panics")
            play.check("status counts them", str(counted), str(rounds), counted == rounds)
    play.none_failed(prober)
