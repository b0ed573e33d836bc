"""Slow requests beside fast ones, more requests than threads, an application that never lets go (design §2)."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING

from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from tests.address import Address
    from tests.conftest import Serve
    from tests.process.conftest import Gates
    from tests.server import Server

APP = "steps:application"


def test_slow_requests_do_not_stall_fast_ones(serve: Serve, gates: Gates) -> None:
    """Three of four threads are held; the fourth answers each request within 100 ms, or as fast as without them."""
    server = serve(APP, "--threads", "4", env=gates.env)
    alone = [timed(server.address) for _ in range(50)]
    with ExitStack() as stack:
        slow = [stack.enter_context(Connection(server.address)) for _ in range(3)]
        for number, connection in enumerate(slow):
            connection.send(http_request(target=f"/gate?name=slow{number}"))
            gates.wait_inside(f"slow{number}")
        waits = [timed(server.address) for _ in range(50)]
        for number, connection in enumerate(slow):
            gates.open(f"slow{number}")
            assert connection.read_response().body == f"opened slow{number}".encode()
    # Some of the fifty may have met something else that this machine does.
    assert sorted(waits)[-6] < max(0.1, 3 * sorted(alone)[-6]), (sorted(alone), sorted(waits))


def test_a_fast_request_behind_a_slow_one_on_the_way_in(serve: Serve, gates: Gates) -> None:
    """Nobody knows beforehand that a request will be slow: the next one must not wait for it."""
    server = serve(APP, "--threads", "4", env=gates.env)
    with Connection(server.address) as slow, Connection(server.address) as fast:
        for number in range(5):
            slow.send(http_request(target=f"/gate?name={number}"))
            fast.send(http_request(target="/pid"))
            assert fast.read_response().status == 200
            gates.open(str(number))
            assert slow.read_response().body == f"opened {number}".encode()


def test_requests_run_side_by_side(serve: Serve, gates: Gates) -> None:
    server = serve(APP, "--threads", "8", env=gates.env)
    with ExitStack() as stack:
        clients = [stack.enter_context(Connection(server.address)) for _ in range(8)]
        for number, client in enumerate(clients):
            client.send(http_request(target=f"/gate?name={number}"))
        gates.wait_for_inside(8)
        for number, client in enumerate(clients):
            gates.open(str(number))
            assert client.read_response().body == f"opened {number}".encode()


def test_more_requests_than_threads_wait_their_turn(serve: Serve, gates: Gates) -> None:
    server = serve(APP, "--threads", "1", env=gates.env)
    with Connection(server.address) as slow, ExitStack() as stack:
        slow.send(http_request(target="/gate?name=slow"))
        gates.wait_inside("slow")
        waiting = [stack.enter_context(Connection(server.address)) for _ in range(20)]
        for connection in waiting:
            connection.send(http_request(target="/pid"))
        waiting[0].assert_silent(0.2)
        gates.open("slow")
        assert slow.read_response().body == b"opened slow"
        assert {connection.read_response().status for connection in waiting} == {200}


def test_all_threads_held_and_more_connections_than_threads(serve: Serve, gates: Gates) -> None:
    """With two workers the free one serves what the full one cannot."""
    server = serve(APP, "--workers", "2", "--threads", "1", env=gates.env)
    with Connection(server.address) as slow:
        slow.send(http_request(target="/gate?name=slow"))
        gates.wait_inside("slow")
        waits = [timed(server.address) for _ in range(30)]
        gates.open("slow")
        assert slow.read_response().body == b"opened slow"
    assert sorted(waits)[-3] < 1.0, sorted(waits)[-5:]


def test_a_busy_interpreter_is_shared(serve: Serve, gates: Gates) -> None:
    server = serve(APP, "--threads", "4", env=gates.env)
    with Connection(server.address) as busy:
        busy.send(http_request(target="/spin?seconds=30&name=spin"))
        gates.wait_inside("spin")
        waits = [timed(server.address) for _ in range(5)]
        exchange(server.address, http_request(target="/stop-spinning"))
        assert busy.read_response().body == b"spun"
    assert sorted(waits)[2] < 0.5, waits


def test_connections_are_spread_evenly(serve: Serve) -> None:
    """400 kept connections on four workers: 100 each, give or take 25."""
    server = serve(APP, "--workers", "4", "--threads", "2")
    wait_until_all_serve(server)
    with ExitStack() as stack:
        clients = [stack.enter_context(Connection(server.address)) for _ in range(400)]
        for client in clients:
            client.send(http_request(target="/pid"))
        served = Counter(client.read_response().body for client in clients)
    assert len(served) == 4
    assert all(75 <= count <= 125 for count in served.values()), served


def test_five_hundred_connections_on_two_threads(serve: Serve) -> None:
    server = serve(APP, "--threads", "2")
    with ExitStack() as stack:
        idle = [stack.enter_context(Connection(server.address)) for _ in range(500)]
        assert exchange(server.address, http_request(target="/pid")).status == 200
        for connection in idle:
            connection.send(http_request(target="/pid"))
        assert {connection.read_response().status for connection in idle} == {200}


def wait_until_all_serve(server: Server, timeout: float = 20.0) -> None:
    """Until each worker has answered: one whose threads do not run yet leaves clients to its peers."""
    silent, deadline = set(server.worker_pids()), time.monotonic() + timeout
    while silent:
        assert time.monotonic() < deadline, f"workers {silent} do not serve"
        with ExitStack() as stack:
            clients = [stack.enter_context(Connection(server.address)) for _ in range(40)]
            for client in clients:
                client.send(http_request(target="/pid"))
            silent -= {int(client.read_response().body) for client in clients}


def timed(address: Address) -> float:
    """Seconds that a fast request takes on a connection of its own."""

    start = time.monotonic()
    assert exchange(address, http_request(target="/pid")).status == 200
    return time.monotonic() - start
