"""Steady load on keep-alive connections: every request has an id and a body of its own, every answer is checked.

A client reconnects when the server said `Connection: close`; anything else that goes wrong counts as a failure.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from tests.address import Address


@dataclass
class Tally:
    """What came of the requests."""

    right: int = 0
    failures: list[str] = field(default_factory=list[str])


def send_requests(
    address: Address, count: int, connections: int, at: int = -1, then: Callable[[], None] = lambda: None
) -> Tally:
    """Sends `count` requests over that many connections; after the answer number `at`, calls `then` once."""
    tally = Tally()
    numbers = iter(range(count))

    def answered() -> None:
        tally.right += 1
        if tally.right == at:
            then()

    async def all_clients() -> None:
        await asyncio.gather(*(_client(address, numbers, tally, answered) for _ in range(connections)))

    asyncio.run(all_clients())
    return tally


class Load:
    """Load in the background, from entering the context to leaving it."""

    def __init__(self, address: Address, connections: int = 8) -> None:
        self.tally = Tally()
        self._address, self._connections = address, connections
        self._stop = threading.Event()
        self._flowing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def wait_for(self, more: int, timeout: float = 10.0) -> None:
        """Waits until this many more requests were answered."""
        target = self.tally.right + more
        deadline = threading.Event()
        timer = threading.Timer(timeout, deadline.set)
        timer.start()
        while self.tally.right < target and not deadline.wait(0.01):
            pass
        timer.cancel()
        assert self.tally.right >= target, f"only {self.tally.right} of {target}: {self.tally.failures[:5]}"

    def __enter__(self) -> Load:
        self._thread.start()
        self.wait_for(1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(30)

    def _numbers(self) -> Iterator[int]:
        number = 0
        while not self._stop.is_set():
            yield number
            number += 1

    def _answered(self) -> None:
        self.tally.right += 1

    def _run(self) -> None:
        numbers = self._numbers()

        async def all_clients() -> None:
            clients = (
                _client(self._address, numbers, self.tally, self._answered) for _ in range(self._connections)
            )
            await asyncio.gather(*clients)

        asyncio.run(all_clients())


async def _client(
    address: Address, numbers: Iterator[int], tally: Tally, answered: Callable[[], None]
) -> None:
    """One connection at a time, until the numbers end."""
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    for number in numbers:
        try:
            streams = streams or await _connect(address)
            closes = await asyncio.wait_for(_exchange(*streams, number), 20)
            answered()
            if not closes:
                continue
        except Exception as error:  # whatever it is, the request failed
            tally.failures.append(f"request {number}: {type(error).__name__}: {error}")
        if streams:
            streams[1].close()
            streams = None
    if streams:
        streams[1].close()


async def _connect(address: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if address.path:
        return await asyncio.open_unix_connection(address.path)
    return await asyncio.open_connection(address.host, address.port)


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
    """One request and its answer; whether the server closes the connection now."""
    body = b"%d " % number * (number % 50)
    head = f"POST /echo HTTP/1.1\r\nHost: a\r\nX-Request-Id: {number}\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    fields = dict(line.lower().split(": ", 1) for line in answer.split("\r\n")[1:-2])
    received = await reader.readexactly(int(fields["content-length"]))
    expected = f"{number} {hashlib.sha256(body).hexdigest()}".encode()
    if not answer.startswith("HTTP/1.1 200 ") or received != expected:
        raise ValueError(f"wrong answer: {answer[:40]!r} {received[:80]!r}")
    return fields.get("connection") == "close"
