"""What a hostile request may cost: CPU time of the whole worker, by the kernel's own count of nanoseconds.

Each bound is many times what a release build needs, some times what a debug build does, and far below what the attack did
to others.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from tests.server import Server

MEASURED = 5


def cpu_seconds(server: Server) -> float:
    """What all threads of the only worker have used."""
    (pid,) = server.worker_pids()
    return (
        sum(float(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat"))
        / 1e9
    )


def cost(server: Server, request: bytes, status: int) -> float:
    """The cheapest of some runs, by which a neighbour's noise is left out."""
    found: list[float] = []
    for _ in range(MEASURED):
        before = cpu_seconds(server)
        assert exchange(server.address, request).status == status
        found.append(cpu_seconds(server) - before)
    return min(found)


def post_chunked(body: bytes) -> bytes:
    return http_request("POST", "/digest", {"Transfer-Encoding": "chunked"}, body)


MANY = b"GET / HTTP/1.1\r\nHost: a\r\n"


@pytest.mark.parametrize(
    ("request_", "status", "bound"),
    [
        (MANY + b"Bad-header: " + b"x" * 60_000 + b"\x10\r\n\r\n", 400, 0.01),
        (MANY + b"Bad-header: " + b" \t" * 30_000 + b"x\x10\r\n\r\n", 400, 0.01),
        (MANY + b"X: 1\r\n" * 99 + b"\r\n", 200, 0.01),
        (MANY + b"".join(b"X-%d: 1\r\n" % number for number in range(99)) + b"\r\n", 200, 0.01),
        (MANY + b"Cookie: a=1\r\n" * 99 + b"\r\n", 200, 0.01),
        (MANY + b"X: 1\r\n" * 10_000 + b"\r\n", 431, 0.01),
        (http_request(target="/" + "%41" * 2700), 404, 0.01),
        (http_request(target="/" + "a" * 65_536), 414, 0.01),
        # A quarter of a million chunks: 3 µs for each.
        (post_chunked(b"1\r\nx\r\n" * (1 << 18) + b"0\r\n\r\n"), 200, 0.75),
    ],
    ids=[
        "control",
        "blanks",
        "alike",
        "differing",
        "cookies",
        "too-many",
        "escapes",
        "target",
        "tiny-chunks",
    ],
)
def test_cpu_time_is_bounded(server: Server, request_: bytes, status: int, bound: float) -> None:
    assert cost(server, request_, status) < bound


def test_a_long_head_byte_by_byte(server: Server) -> None:
    """A limit counts the line, in however many segments it comes, and each byte costs one read and not a new start."""
    request = b"GET /" + b"a" * 9000
    before = cpu_seconds(server)
    with Connection(server.address) as connection:
        for place in range(0, len(request), 3):
            connection.send(request[place : place + 3])
            if place > 8192 + 10:
                break
        assert connection.read_response().status == 414
    assert cpu_seconds(server) - before < 0.5
