"""Steady requests beside a fault, every answer checked: on a new connection every 20 ms, and 200/s on kept ones.

Failed is what is refused, reset, cut short, wrong, a 5xx that is not due, or slow. What was under way while a worker
was dying, and ended without an answer, was inside that worker: it is counted apart.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import statistics
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType

    from tests.address import Address

NEW_EVERY = 0.02
#: Seconds in which the news of a worker's end may cross a request on its way.
CROSSING = 0.1
#: Seconds after which a request counts as hung.
HANGS = 10.0


class Wrong(Exception):
    """An answer that is not the one that is due."""


@dataclass
class Failure:
    """One request that failed."""

    kind: str
    began: float
    ended: float
    #: Who gave the answer before on that connection; 0 on a new one.
    pid: int = 0

    def __str__(self) -> str:
        return f"{self.kind} after {self.ended - self.began:.3f} s"


@dataclass
class Tally:
    """What came of the requests so far."""

    times: list[float] = field(default_factory=list[float])
    failures: list[Failure] = field(default_factory=list[Failure])
    pids: Counter[int] = field(default_factory=Counter[int])
    #: When workers were dying, and were asked to.
    deaths: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    #: Who died.
    dead: set[int] = field(default_factory=set[int])

    @property
    def right(self) -> int:
        """Answers that were right."""
        return len(self.times)

    def lost(self) -> list[Failure]:
        """What was inside a dying worker."""
        return [failure for failure in self.failures if self._died_with_its_worker(failure)]

    def failed(self) -> list[Failure]:
        """What failed and should not have."""
        return [failure for failure in self.failures if not self._died_with_its_worker(failure)]

    def p99(self, since: int = 0) -> float:
        """Of the right answers after the first `since`, in seconds."""
        times = self.times[since:]
        return statistics.quantiles(times, n=100)[98] if len(times) > 1 else 0.0

    def summary(self) -> str:
        """Counts of the failures by kind."""
        kinds = Counter(failure.kind for failure in self.failed())
        told = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        return f"{self.right} right, {told or 'none failed'}, {len(self.lost())} inside dying workers"

    def _died_with_its_worker(self, failure: Failure) -> bool:
        if failure.kind not in ("reset", "closed", "truncated"):
            return False
        # The end of an idle connection may cross the next request on it.
        crossing = CROSSING if failure.pid else 0
        return failure.pid in self.dead or any(
            failure.began <= end + crossing and failure.ended >= begin for begin, end in self.deaths
        )


class Prober:
    """Probes in the background, from entering the context to leaving it."""

    def __init__(self, address: Address, slow: float, kept: int = 8, rate: float = 200) -> None:
        """`kept` connections together send `rate` requests a second."""
        self.tally = Tally()
        self._kept, self._pause = kept, kept / rate
        self._address, self._slow = address, slow
        self._numbers = itertools.count(1)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    @contextmanager
    def while_dying(self, *pids: int) -> Generator[None]:
        """In this block a worker dies (one of these, where that is known); at its end it is gone."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.tally.deaths.append((began, time.monotonic()))
            self.tally.dead.update(pids)

    def wait_for(self, more: int, timeout: float = 20.0) -> None:
        """Waits until this many more answers came, right or failed."""
        target = self._done() + more
        deadline = time.monotonic() + timeout
        while self._done() < target:
            assert time.monotonic() < deadline, f"requests hang: {self.tally.summary()}"
            time.sleep(0.01)

    def __enter__(self) -> Prober:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(HANGS + 5)

    def _done(self) -> int:
        return self.tally.right + len(self.tally.failures)

    async def _run(self) -> None:
        kept = [self._keep_asking() for _ in range(self._kept)]
        await asyncio.gather(self._ask_anew(), *kept)

    async def _ask_anew(self) -> None:
        """On a new connection at each tick, however long the answers before take."""
        running: set[asyncio.Task[None]] = set()
        due = time.monotonic()
        while not self._stop.is_set():
            # Against a server that hangs, no more than can be told apart.
            if len(running) < 200:
                task = asyncio.ensure_future(self._ask_once())
                running.add(task)
                task.add_done_callback(running.discard)
            due = max(due + NEW_EVERY, time.monotonic() - 1)
            await asyncio.sleep(max(0, due - time.monotonic()))
        await asyncio.gather(*running)

    async def _ask_once(self) -> None:
        kept = await self._ask(None, closing=True)
        if kept:
            kept.close()

    async def _keep_asking(self) -> None:
        kept: _Kept | None = None
        while not self._stop.is_set():
            # As any client does: a connection that the server closed while it was idle is not used again.
            if kept and not kept.is_usable():
                kept.close()
                kept = None
            kept = await self._ask(kept, closing=False)
            await asyncio.sleep(self._pause)
        if kept:
            kept.close()

    async def _ask(self, kept: _Kept | None, closing: bool) -> _Kept | None:
        """One request, counted; the connection if it may be used again."""
        number = next(self._numbers)
        began = time.monotonic()
        try:
            kept = kept or _Kept(*await asyncio.wait_for(_connect(self._address), HANGS))
            pid, closes = await asyncio.wait_for(_exchange(kept.reader, kept.writer, number, closing), HANGS)
        except Exception as error:  # whatever it is, the request failed
            before = kept.pid if kept else 0
            self.tally.failures.append(Failure(_kind(error), began, time.monotonic(), before))
            if kept:
                kept.writer.transport.abort()
            return None
        took = time.monotonic() - began
        kept.pid = pid
        if took > self._slow:
            self.tally.failures.append(Failure("slow", began, began + took))
        else:
            self.tally.times.append(took)
            self.tally.pids[pid] += 1
        if closes:
            kept.close()
            return None
        return kept


@dataclass
class _Kept:
    """A connection, and who answered on it last."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    pid: int = 0

    def is_usable(self) -> bool:
        return not (self.reader.at_eof() or self.reader.exception() or self.writer.transport.is_closing())

    def close(self) -> None:
        self.writer.close()


async def _connect(address: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if address.path:
        return await asyncio.open_unix_connection(address.path)
    return await asyncio.open_connection(address.host, address.port)


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int, closing: bool
) -> tuple[int, bool]:
    """One request and its answer: the process that answered, and whether the server closes the connection."""
    wish = "Connection: close\r\n" if closing else ""
    writer.write(f"GET /probe?n={number} HTTP/1.1\r\nHost: a\r\n{wish}\r\n".encode())
    answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status, *lines = answer.split("\r\n")[:-2]
    if not status.startswith("HTTP/1.1 200 "):
        raise Wrong(f"status {status[9:12]}")
    fields = dict(line.lower().split(": ", 1) for line in lines)
    body = (await reader.readexactly(int(fields["content-length"]))).decode()
    named, pid, digest = body.split()
    if int(named) != number or digest != hashlib.sha256(named.encode()).hexdigest():
        raise Wrong("wrong bytes")
    return int(pid), fields.get("connection") == "close"


def _kind(error: Exception) -> str:
    if isinstance(error, Wrong):
        return str(error)
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, ConnectionError):
        return "reset"
    if isinstance(error, asyncio.IncompleteReadError):
        return "truncated" if error.partial else "closed"
    if isinstance(error, (asyncio.TimeoutError, TimeoutError)):
        return "hung"
    if isinstance(error, FileNotFoundError):
        return "refused"
    return f"{type(error).__name__}: {error}"[:80]
