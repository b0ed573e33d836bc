"""Steady load on keep-alive connections: every request has an id and a body of its own, every answer is checked.

A client reconnects when the server said `Connection: close`; anything else that goes wrong counts as a failure.
"""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Callable

from tests.steady import Clients, Pace, Wrong

if TYPE_CHECKING:
    from typing_extensions import Self

    from tests.address import Address
    from tests.steady import Tally

#: Seconds that one answer may take.
PATIENCE = 10.0


class Echo:
    """Asks `/echo` for the digest of a body."""

    def request(self, number: int, closing: bool) -> bytes:
        """A POST; see `steady.Question`."""
        body = _body(number)
        wish = "Connection: close\r\n" if closing else ""
        head = f"POST /echo HTTP/1.1\r\nHost: a\r\nX-Number: {number}\r\n{wish}Content-Length: {len(body)}\r\n\r\n"
        return head.encode() + body

    def judge(self, number: int, status: int, head: bytes, body: bytes) -> int:
        """The digest and the number."""
        expected = f"{number} {hashlib.sha256(_body(number)).hexdigest()}".encode()
        if status != 200 or body != expected:
            raise Wrong(f"wrong answer: {status} {body[:80]!r}")
        return 0


def _body(number: int) -> bytes:
    return b"%d " % number * (number % 50)


class Load(Clients):
    """Load in the background, from entering the context to leaving it."""

    def __init__(self, address: Address, connections: int = 8, new: int = 0) -> None:
        """`connections` are kept; `new` clients make one for each request."""
        super().__init__(address, Echo(), Pace(kept=connections, new=new), PATIENCE)

    def __enter__(self) -> Self:
        super().__enter__()
        self.wait_for(1)
        return self


def send_requests(
    address: Address, count: int, connections: int, at: int = -1, then: Callable[[], None] = lambda: None
) -> Tally:
    """Sends `count` requests over that many connections; when `at` were answered, calls `then` once."""
    with Clients(address, Echo(), Pace(kept=connections, count=count), PATIENCE) as clients:
        while 0 <= at > clients.tally.right and not clients.tally.failures:
            time.sleep(0.001)
        if at >= 0:
            then()
        clients.wait_for_all(300)
    return clients.tally
