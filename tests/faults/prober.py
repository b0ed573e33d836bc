"""Steady requests beside a fault, every answer checked: on a new connection every 20 ms, and 200/s on kept ones.

What was under way while a worker was dying, and ended without an answer, was inside that worker: it is counted apart.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.steady import Clients, Pace, Wrong

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.address import Address
    from tests.steady import Failure

NEW_EVERY = 0.02
#: Seconds in which the news of a worker's end may cross a request on its way.
CROSSING = 0.1


class Probe:
    """Asks `/probe`, whose answer names the request and the process, and shows what is missing or mixed up."""

    def request(self, number: int, closing: bool) -> bytes:
        """A GET; see `steady.Question`."""
        wish = "Connection: close\r\n" if closing else ""
        return f"GET /probe?n={number} HTTP/1.1\r\nHost: a\r\n{wish}\r\n".encode()

    def judge(self, number: int, status: int, head: bytes, body: bytes) -> int:
        """The process."""
        if status != 200:
            raise Wrong(f"status {status}")
        named, pid, digest = body.decode().split()
        if int(named) != number or digest != hashlib.sha256(named.encode()).hexdigest():
            raise Wrong("wrong bytes")
        return int(pid)


class Prober(Clients):
    """Probes in the background, from entering the context to leaving it."""

    def __init__(self, address: Address, slow: float, kept: int = 8, rate: float = 200) -> None:
        """`kept` connections together send `rate` requests a second."""
        super().__init__(address, Probe(), Pace(kept, rate, NEW_EVERY), slow)
        #: When workers were dying, and were asked to.
        self._deaths: list[tuple[float, float]] = []
        #: Who died.
        self._dead: set[int] = set()

    @contextmanager
    def while_dying(self, *pids: int) -> Generator[None]:
        """In this block a worker dies (one of these, where that is known); at its end it is gone."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._deaths.append((began, time.monotonic()))
            self._dead.update(pids)

    def lost(self) -> list[Failure]:
        """What was inside a dying worker."""
        return [failure for failure in self.tally.failures if self._died_with_its_worker(failure)]

    def failed(self) -> list[Failure]:
        """What failed and should not have."""
        return [failure for failure in self.tally.failures if not self._died_with_its_worker(failure)]

    def told(self) -> str:
        """What came of them in a few words."""
        return f"{self.tally.summary(self.failed())}, {len(self.lost())} inside dying workers"

    def _died_with_its_worker(self, failure: Failure) -> bool:
        if failure.kind not in ("reset", "closed", "truncated"):
            return False
        # The end of an idle connection may cross the next request on it.
        crossing = CROSSING if failure.pid else 0
        return failure.pid in self._dead or any(
            failure.began <= end + crossing and failure.ended >= begin for begin, end in self._deaths
        )
