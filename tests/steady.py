"""Clients that ask one request after the other and check every answer: all in one thread, cheap enough for thousands a second
beside a server on the same machine. What they ask and how they judge it is a `Question`; what came of it is a `Tally`.

Failed is what is refused, reset, cut short, wrong, slow, or hangs. A connection that the server closed while it was idle is
not used again, as with any client.
"""

from __future__ import annotations

import heapq
import itertools
import select
import statistics
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from tests.steady_client import Client, Wrong

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from tests.address import Address

__all__ = ["Clients", "Failure", "Pace", "Question", "Tally", "Wrong"]

#: Seconds after which a request counts as hung.
HANGS = 10.0
#: Seconds after which hung requests and the order to stop are looked for.
TICK = 0.1


class Question(Protocol):
    """What is asked."""

    def request(self, number: int, closing: bool) -> bytes:
        """The bytes of request `number`; `closing` asks the server to close the connection after it."""
        ...

    def judge(self, number: int, status: int, head: bytes, body: bytes) -> int:
        """Raises `Wrong`, or gives the process that answered, 0 where that is not known. The head is in lower case."""
        ...


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

    @property
    def right(self) -> int:
        """Answers that were right."""
        return len(self.times)

    @property
    def done(self) -> int:
        """Requests that ended, one way or the other."""
        return len(self.times) + len(self.failures)

    def summary(self, failures: list[Failure]) -> str:
        """The right ones, and these failures by kind."""
        kinds = Counter(failure.kind for failure in failures)
        told = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        return f"{self.right} right, {told or 'none failed'}"

    def p99(self, since: int = 0) -> float:
        """Of the right answers after the first `since`, in seconds."""
        times = self.times[since:]
        return statistics.quantiles(times, n=100)[98] if len(times) > 1 else 0.0


@dataclass(frozen=True)
class Pace:
    """How many clients there are, and how often they ask."""

    #: Clients that keep their connections.
    kept: int = 8
    #: Requests a second of all of these together; as many as go where it is none.
    rate: float | None = None
    #: Seconds from one request on a new connection to the next, however long the answers take.
    new_every: float | None = None
    #: Clients that open a new connection for each request, one after the other.
    new: int = 0
    #: The most connections of these: against a server that hangs, no more can be told apart.
    most_new: int = 200
    #: How many requests there are in all; no end where it is none.
    count: int | None = None


class Clients:
    """Ask from entering the context to leaving it. An answer that takes more than `slow` seconds has failed."""

    def __init__(self, address: Address, question: Question, pace: Pace, slow: float = HANGS) -> None:
        self.tally = Tally()
        self._address, self._question, self._pace, self._slow = address, question, pace, slow
        self._numbers = itertools.count(1) if pace.count is None else iter(range(1, pace.count + 1))
        self._epoll = select.epoll()
        #: Who has a connection, by its descriptor.
        self._open: dict[int, Client] = {}
        #: Who waits for an answer.
        self._busy: set[Client] = set()
        #: Who asks next, and when.
        self._due: list[tuple[float, int, Client]] = []
        self._order = itertools.count()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def wait_for(self, more: int, timeout: float = 40.0) -> None:
        """Waits until this many more requests ended, right or failed."""
        target, deadline = self.tally.done + more, time.monotonic() + timeout
        while self.tally.done < target:
            assert time.monotonic() < deadline, f"requests hang: {self.told()}"
            time.sleep(0.01)

    def wait_for_all(self, timeout: float) -> None:
        """Waits until all requests of a limited number ended."""
        self._thread.join(timeout)
        assert not self._thread.is_alive(), f"requests hang: {self.told()}"

    def told(self) -> str:
        """What came of them in a few words."""
        return self.tally.summary(self.tally.failures)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(HANGS + 5)

    def _run(self) -> None:
        pace, now = self._pace, time.monotonic()
        pause = pace.kept / pace.rate if pace.rate else 0.0
        for place in range(pace.kept):
            self._await_turn(Client(self._address, pause), now + pause * place / pace.kept)
        for _ in range(pace.new):
            self._await_turn(Client(self._address, 0.0, keeps=False), now)
        if pace.new_every:
            self._await_turn(Client(self._address, pace.new_every, keeps=False, is_many=True), now)
        while self._busy or (self._due and not self._stop.is_set()):
            self._turn()
        for client in self._open.values():
            client.close()
        self._epoll.close()

    def _turn(self) -> None:
        """Hears what happened, then sends what is due: a connection that ended while it was idle is noticed before its use."""
        begin, stopping = time.monotonic(), self._stop.is_set()
        wait = self._due[0][0] - begin if self._due and not stopping else TICK
        for descriptor, event in self._epoll.poll(min(TICK, max(0.0, wait))):
            client = self._open.get(descriptor)
            if client:
                self._hear(client, event)
        now = time.monotonic()
        for client in [client for client in self._busy if now > client.began + HANGS]:
            self._failed(client, "hung")
        while self._due and self._due[0][0] <= now and not stopping:
            due, _, client = heapq.heappop(self._due)
            self._ask(client, due, now)

    def _ask(self, client: Client, due: float, now: float) -> None:
        if client.is_many:
            self._await_turn(client, max(due + client.pause, now - 1))
            if len(self._busy) >= self._pace.most_new:
                return
            client = Client(self._address, 0.0, keeps=False, is_once=True)
        number = next(self._numbers, None)
        if number is None:
            return
        client.due = due
        self._busy.add(client)
        before = client.descriptor
        try:
            client.ask(number, self._question.request(number, not client.keeps))
        except OSError as error:
            self._failed(client, kind_of(error))
            return
        if client.descriptor != before:
            self._open[client.descriptor] = client
            self._epoll.register(client.descriptor, select.EPOLLIN)
        self._watch(client)

    def _watch(self, client: Client) -> None:
        """Room to write is of interest while there is something to write, and only then."""
        if client.wants_room != client.is_watched_for_room:
            client.is_watched_for_room = client.wants_room
            interest = select.EPOLLIN | (select.EPOLLOUT if client.wants_room else 0)
            self._epoll.modify(client.descriptor, interest)

    def _hear(self, client: Client, event: int) -> None:
        try:
            if event & select.EPOLLOUT:
                client.send_rest()
                self._watch(client)
            if not event & ~select.EPOLLOUT:
                return
            ended = not client.receive()
            answer = client.take_answer() if client in self._busy else None
        except (OSError, Wrong) as error:
            self._failed(client, kind_of(error))
            return
        if answer:
            self._answered(client, *answer)
        elif ended:
            self._failed(client, "truncated" if client.received else "closed")
        elif client not in self._busy:
            self._failed(client, "bytes that nobody asked for")

    def _answered(self, client: Client, status: int, head: bytes, body: bytes, closes: bool) -> None:
        took = time.monotonic() - client.began
        try:
            client.pid = self._question.judge(client.number, status, head, body)
        except Wrong as error:
            self._failed(client, str(error))
            return
        self._busy.discard(client)
        if took > self._slow:
            self.tally.failures.append(Failure("slow", client.began, client.began + took))
        else:
            self.tally.times.append(took)
            self.tally.pids[client.pid] += 1
        if closes or not client.keeps:
            self._forget(client)
        self._next(client)

    def _failed(self, client: Client, kind: str) -> None:
        """Counts it, unless nothing was asked: then it is the end of an idle connection."""
        was_busy = client in self._busy
        if was_busy or kind not in ("closed", "reset"):
            self.tally.failures.append(Failure(kind, client.began, time.monotonic(), client.pid))
        self._busy.discard(client)
        self._forget(client)
        if was_busy:
            self._next(client)

    def _next(self, client: Client) -> None:
        if not client.is_once:
            self._await_turn(client, max(client.due + client.pause, time.monotonic() - 1))

    def _forget(self, client: Client) -> None:
        self._open.pop(client.descriptor, None)
        client.close()

    def _await_turn(self, client: Client, due: float) -> None:
        heapq.heappush(self._due, (due, next(self._order), client))


def kind_of(error: Exception) -> str:
    """What a client calls it."""
    if isinstance(error, Wrong):
        return str(error)
    if isinstance(error, (ConnectionRefusedError, FileNotFoundError)):
        return "refused"
    if isinstance(error, ConnectionError):
        return "reset"
    return f"{type(error).__name__}: {error}"[:80]
