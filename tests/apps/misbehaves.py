"""Raises anything anywhere: `/raise?kind=NAME&where=PLACE`. Also junk for start_response, and a close() that blocks."""

from __future__ import annotations

import random
import sys
import threading
from typing import TYPE_CHECKING, Any

from routing import answer, query, routed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class PlannedBaseError(BaseException):
    """An application's own: no Exception."""


class UnprintableError(Exception):
    """Even its text raises."""

    def __str__(self) -> str:
        raise ValueError("planned, in __str__")


class ControlError(Exception):
    """Its text would clear a terminal and forge a line."""

    def __str__(self) -> str:
        return "planned\x1b[2J\n2026-01-01 00:00:00.000 +0000 [1] [error] forged\r\x9b31m"


def _recurse() -> Any:
    return _recurse()


def _raiser(kind: str) -> Callable[[], Any]:
    kinds: dict[str, type[BaseException]] = {
        "SystemExit": SystemExit,
        "KeyboardInterrupt": KeyboardInterrupt,
        "GeneratorExit": GeneratorExit,
        "MemoryError": MemoryError,
        "StopIteration": StopIteration,
        "BaseException": PlannedBaseError,
        "Unprintable": UnprintableError,
        "Control": ControlError,
    }

    def fail() -> Any:
        raise kinds[kind]("planned")

    return _recurse if kind == "RecursionError" else fail


class Failing:
    """An iterable of three items that fails at one place."""

    def __init__(self, fail: Callable[[], Any], where: str) -> None:
        self._fail, self._where, self._count = fail, where, 0

    def __iter__(self) -> Failing:
        return self._fail() if self._where == "iter" else self

    def __next__(self) -> bytes:
        if self._where == ("first", "midway")[min(self._count, 1)]:
            self._fail()
        self._count += 1
        if self._count > 3:
            raise StopIteration
        return b"item"

    def close(self) -> None:
        if self._where == "close":
            self._fail()


def raises(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    given = query(environ)
    fail, where = _raiser(given["kind"]), given["where"]
    if where == "call":
        fail()
    length = [("Content-Length", given["length"])] if "length" in given else []
    write = start_response("200 OK", [("Content-Type", "text/plain"), *length])
    if where == "started":
        fail()
    if where == "written":
        write(b"item")
        fail()
    return Failing(fail, where)


_JUNK: list[Any] = [
    None,
    0,
    "",
    "200",
    "200 OK",
    "200 OK\r\nX-Injected: 1",
    "99999999999 X",
    "\u0662\u0660\u0660 OK",
    "\ud800",
    b"200 OK",
    [],
    [()],
    [("a",)],
    [("a", "b", "c")],
    [["a", "b"]],
    [("X-A", "1")],
    [("X-A", "1\r\nX-Injected: 1")],
    [("X-A\0", "1")],
    [("", "")],
    [("X-A", None)],
    [("X-A", "\U0001f600")],
    [(b"X-A", b"1")],
    [("Content-Length", "x")],
    [("Content-Length", "1"), ("Content-Length", "1")],
    [("Transfer-Encoding", "chunked")],
    (("X-A", "1"),),
    {"X-A": "1"},
    object(),
]


def junk(environ: WSGIEnvironment, start_response: Any) -> Iterable[bytes]:
    """Calls start_response with wrong arguments, thousands of times; what was taken may be replaced with exc_info."""
    given = query(environ)
    chance, refused = random.Random(int(given["seed"])), 0
    for _ in range(int(given["count"])):
        status = chance.choice(_JUNK) if chance.random() < 0.7 else _text(chance)
        fields = chance.choice(_JUNK) if chance.random() < 0.5 else [(_text(chance), _text(chance))]
        try:
            raise ValueError("planned")
        except ValueError:
            try:
                start_response(status, fields, sys.exc_info())
            except (TypeError, ValueError):
                refused += 1
    try:
        raise ValueError("planned")
    except ValueError:
        start_response("200 OK", [("Content-Type", "text/plain")], sys.exc_info())
    return [str(refused).encode()]


def _text(chance: random.Random) -> str:
    alphabet = "200 OK-:;\t\r\n\0\x1b\x7f\xe9\u2603abcXYZ"
    return "".join(chance.choice(alphabet) for _ in range(chance.randrange(12)))


class BlocksInClose:
    """All of the body is out before close() runs; `/unblock` lets it go."""

    gate = threading.Event()

    def __iter__(self) -> Any:
        return iter([b"all of it"])

    def close(self) -> None:
        self.gate.wait(10.0)


def blocks(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "9")])
    return BlocksInClose()


def unblock(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    BlocksInClose.gate.set()
    return answer(start_response, b"unblocked")


application = routed(
    {
        "/raise": raises,
        "/junk": junk,
        "/blocks": blocks,
        "/unblock": unblock,
        "/": lambda _, start: answer(start, b"fine"),
    }
)
