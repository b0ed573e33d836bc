"""Threads that run at the same moment: a lane for each core where the interpreter has no lock, and things that the
application's threads share with the server."""

from __future__ import annotations

import os
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.load import Load
from tests.wire import Connection, Truncated, exchange, http_request

if TYPE_CHECKING:
    from tests.conftest import Serve
    from tests.server import Server

HAS_LOCK: bool = getattr(sys, "_is_gil_enabled", lambda: True)()
needs_cores = pytest.mark.skipif(
    HAS_LOCK or len(os.sched_getaffinity(0)) < 2,
    reason="not on this system: the interpreter has a lock, or there is one core",
)


@needs_cores
def test_every_core_serves_its_clients(serve: Serve) -> None:
    """Two lanes with a thread each; a thread may have helped the other now and then."""
    server = serve("steps:application", "--threads", "2")
    with ExitStack() as stack:
        clients = [stack.enter_context(Connection(server.address)) for _ in range(20)]
        served = Counter[bytes]()
        for _ in range(5):
            for client in clients:
                client.send(http_request(target="/thread"))
            served.update(client.read_response().body for client in clients)
    assert len(served) == 2 and min(served.values()) >= 25, served


@needs_cores
def test_reloads_lose_no_request_of_any_lane(serve: Serve) -> None:
    server = serve("steps:application", "--threads", "2")
    with Load(server.address, connections=16) as load:
        for _ in range(3):
            server.reload()
            load.wait_for(50)
    assert load.tally.failures == []


def test_what_is_shared_may_change_at_any_moment(serve: Serve) -> None:
    """Nothing crashes, no answer is another request's, and who shares nothing notices nothing."""
    server = serve("mutable:application", "--threads", "4")
    server.allow("RuntimeError")
    workers = server.worker_pids()
    with ThreadPoolExecutor(8) as pool:
        tallies = list(pool.map(partial(use, server), range(8)))
    assert server.worker_pids() == workers
    total = sum(tallies, Counter[str]())
    assert set(total) <= {"/headers", "/body", "/input", "/write", "cut"}, total
    assert total["cut"] < total["/body"] + total["cut"]


def use(server: Server, number: int, rounds: int = 60) -> Counter[str]:
    """Asks for each shared thing in turn; how often the answer was right, or cut."""
    seen = Counter[str]()
    body = f"{number} ".encode() * 10_000
    expected = {"/headers": b"headers", "/input": str(len(body)).encode(), "/write": b"written"}
    for _ in range(rounds):
        for target in ("/headers", "/body", "/input", "/write"):
            try:
                response = exchange(server.address, http_request("POST", target, body=body))
            except Truncated:
                # The list was longer when its length was announced.
                seen["cut"] += 1
                continue
            assert response.status == 200, (target, response.status)
            assert expected.get(target, response.body) == response.body, (target, response.body[:200])
            seen[target] += 1
        assert exchange(server.address, http_request("POST", "/fine", body=body)).body == body
    return seen
