"""--queue-timeout when all threads of all workers are busy: nobody waits longer, wherever the waiting is done."""

from __future__ import annotations

import asyncio
import hashlib
import signal
import time
from collections import defaultdict
from contextlib import ExitStack
from typing import TYPE_CHECKING

from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from tests.conftest import Serve
    from tests.process.conftest import Gates


def test_clients_that_no_worker_has_a_thread_for_are_told(serve: Serve, gates: Gates) -> None:
    """Also those that came when no worker had one: the system's queue of new connections is no place to wait."""
    server = serve(
        *("steps:application", "--workers", "2", "--threads", "1", "--queue-timeout", "1s"), env=gates.env
    )
    with ExitStack() as stack:
        held: list[Connection] = []
        for number in range(2):
            held.append(stack.enter_context(Connection(server.address, 60.0)))
            held[-1].send(http_request(target=f"/gate?name={number}"))
            gates.wait_inside(str(number))
        # Time for both workers to notice that all of them are busy.
        time.sleep(0.5)
        waiting = [stack.enter_context(Connection(server.address, 20.0)) for _ in range(6)]
        for client in waiting:
            client.send(http_request(target="/pid"))
        for client in waiting:
            answer = client.read_response()
            assert answer.status == 503
            assert answer.get("Retry-After")
        for number in range(2):
            gates.open(str(number))
        assert [client.read_response().body for client in held] == [b"opened 0", b"opened 1"]


def test_twice_the_capacity_is_told_at_once_and_what_is_accepted_is_in_time(serve: Serve) -> None:
    """F25: whoever comes goes on coming. 80 a second can be served."""
    server = serve("steps:application", "--workers", "2", "--threads", "2", "--queue-timeout", "2s")
    host, port = server.address.host, server.address.port
    took: defaultdict[int, list[float]] = defaultdict(list)

    async def ask() -> None:
        began = time.monotonic()
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(http_request(target="/sleep?seconds=0.05"))
        head = await reader.readuntil(b"\r\n\r\n")
        took[int(head[9:12])].append(time.monotonic() - began)
        assert b"Retry-After: " in head or head.startswith(b"HTTP/1.1 200 ")
        writer.close()

    async def crowd() -> float:
        """How long the clients themselves were kept from the processor, in all."""
        began, asked, kept = time.monotonic(), list[asyncio.Task[None]](), 0.0
        while (passed := time.monotonic() - began) < 8:
            asked += [asyncio.create_task(ask()) for _ in range(int(passed * 160) - len(asked))]
            await asyncio.sleep(0.005)
            kept += max(0.0, time.monotonic() - began - passed - 0.1)
        await asyncio.gather(*asked)
        return kept

    kept = asyncio.run(crowd())
    accepted, refused = (sorted(took[status]) for status in (200, 503))
    assert set(took) == {200, 503}
    assert len(accepted) > 0.75 * 80 * (8 - kept), (len(accepted), kept)
    assert accepted[int(len(accepted) * 0.99)] < 2.5 + kept, (accepted[-20:], kept)
    assert refused[int(len(refused) * 0.9)] < 1 + kept, (refused[-50:], kept)
    assert exchange(server.address, http_request(target="/pid")).status == 200


def test_what_waits_when_a_reload_comes_is_answered_by_the_new_worker(serve: Serve, gates: Gates) -> None:
    """With its body and what stands behind it, while the old worker still has what it runs."""
    server = serve("steps:application", "--threads", "1", env=gates.env)
    with ExitStack() as stack:
        held = stack.enter_context(Connection(server.address, 60.0))
        held.send(http_request(target="/gate?name=held"))
        old = gates.wait_inside("held")
        waiting = [stack.enter_context(Connection(server.address, 60.0)) for _ in range(5)]
        for client in waiting:
            client.send(http_request("POST", "/echo", body=b"a body") + http_request(target="/pid"))
        # The old worker goes on with what it runs.
        server.send(signal.SIGHUP)
        digest = hashlib.sha256(b"a body").hexdigest().encode()
        for client in waiting:
            assert digest in client.read_response().body
            assert int(client.read_response().body) != old
        gates.open("held")
        assert held.read_response().body == b"opened held"
