"""What is idle costs next to nothing: a server makes few wake-ups, a connection takes little memory."""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from tests import kernel
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from tests.conftest import Serve

#: Seconds in which wake-ups are counted, one after the other: of three, since one may meet something else.
WINDOW = 1.0
CONNECTIONS = 2000


def test_an_idle_server_sleeps(serve: Serve) -> None:
    server = serve("plain:application", "--workers", "2")
    with Connection(server.address) as idle:
        idle.send(http_request())
        idle.read_response()
        for _ in range(20):
            exchange(server.address, http_request())
        time.sleep(0.5)
        counts: list[int] = []
        for _ in range(3):
            before = kernel.waits(server)
            time.sleep(WINDOW)
            counts.append(kernel.waits(server) - before)
        assert statistics.median(counts) < 5, counts


def test_an_idle_connection_takes_less_than_a_kibibyte(serve: Serve) -> None:
    server = serve("plain:application", "--workers", "1")
    exchange(server.address, http_request())
    before = kernel.own_memory(server)
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            idle = stack.enter_context(Connection(server.address))
            idle.send(http_request())
            idle.read_response()
        assert (kernel.own_memory(server) - before) / CONNECTIONS < 1024
