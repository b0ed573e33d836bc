"""Servers whose access log goes to a place of its own, and requests to them. Used by the tests of this folder."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Callable

from tests.wire import Connection, http_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.address import Address

APP = "access_log:application"


def wait_until(is_so: Callable[[], bool], what: str, timeout: float = 20.0) -> None:
    """Asks every 10 ms until it is so."""
    deadline = time.monotonic() + timeout
    while not is_so():
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
        time.sleep(0.01)


def lines_of(path: Path, count: int) -> list[str]:
    """The lines of a log, as soon as there are so many."""
    wait_until(lambda: path.exists() and path.read_bytes().count(b"\n") >= count, f"{count} lines in {path}")
    return path.read_text().splitlines()


def ask(address: Address, *targets: str, fields: dict[str, str] | None = None) -> list[float]:
    """Asks for them one after the other on one connection; how long each took, in seconds."""
    took: list[float] = []
    with Connection(address) as connection:
        for target in targets:
            start = time.monotonic()
            connection.send(http_request(target=target, fields=fields))
            connection.read_response()
            took.append(time.monotonic() - start)
    return took


def ask_together(address: Address, clients: int, targets: Callable[[int], list[str]]) -> list[float]:
    """The same for several clients at once."""
    took: list[float] = []

    def one(number: int) -> None:
        took.extend(ask(address, *targets(number)))

    run = [threading.Thread(target=one, args=(number,)) for number in range(clients)]
    for thread in run:
        thread.start()
    for thread in run:
        thread.join()
    return took
