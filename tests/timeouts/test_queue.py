"""--queue-timeout when all threads of all workers are busy: nobody waits longer, wherever the waiting is done."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from tests.wire import Connection, http_request

if TYPE_CHECKING:
    from tests.conftest import Serve
    from tests.process.conftest import Gates


def test_clients_that_no_worker_has_a_thread_for_are_told(serve: Serve, gates: Gates) -> None:
    """Also those that came when no worker had one: the system's queue of new connections is no place to wait."""
    server = serve(
        *("steps:application", "--workers", "2", "--threads", "1", "--queue-timeout", "300ms"), env=gates.env
    )
    with ExitStack() as stack:
        held: list[Connection] = []
        for number in range(2):
            held.append(stack.enter_context(Connection(server.address, 60.0)))
            held[-1].send(http_request(target=f"/gate?name={number}"))
            gates.wait_inside(str(number))
        # Time for both workers to notice that all of them are busy.
        time.sleep(0.5)
        waiting = [stack.enter_context(Connection(server.address, 10.0)) for _ in range(6)]
        for client in waiting:
            client.send(http_request(target="/pid"))
        for client in waiting:
            answer = client.read_response()
            assert answer.status == 503
            assert answer.get("Retry-After")
        for number in range(2):
            gates.open(str(number))
        assert [client.read_response().body for client in held] == [b"opened 0", b"opened 1"]
