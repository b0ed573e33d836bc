"""`--workers MIN..MAX`: more workers when requests wait, fewer when there is little to do; `--workers auto` says why."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.server import Server
from tests.wire import Connection, exchange, http_request
from tests.wsgi.environ import Environ

if TYPE_CHECKING:
    from tests.conftest import Serve
    from tests.process.conftest import Gates

APP = "steps:application"


def wait_for_workers(server: Server, count: int, timeout: float = 30.0) -> None:
    deadline = time.monotonic() + timeout
    while len(server.worker_pids()) != count:
        assert time.monotonic() < deadline, f"not {count} workers but {server.worker_pids()}"
        time.sleep(0.02)


def test_one_more_while_requests_wait(serve: Serve, gates: Gates) -> None:
    server = serve(APP, "--workers", "1..3", "--threads", "1", "--log-level", "debug", env=gates.env)
    server.log.wait_for(r"1 to 3 workers . 1 thread: up to 3 requests at once")
    assert len(server.worker_pids()) == 1
    with ExitStack() as stack:
        clients: list[Connection] = []
        for number in range(1, 4):
            # One more than the threads: it waits, and gets that of the new worker. The last has none to wait for.
            while len(clients) <= number:
                client = stack.enter_context(Connection(server.address, timeout=30.0))
                client.send(http_request(target=f"/gate?name={len(clients)}"))
                clients.append(client)
            gates.wait_for_inside(number, timeout=30.0)
            server.log.wait_for(rf"worker {min(number + 1, 3)} \(pid \d+\) ready after", timeout=30.0)
        server.log.wait_for(r"no thread was free for 1 s, \d+ request\(s\) wait: from now on 2 workers")
        server.log.wait_for(r"from now on 3 workers")
        assert len(set(gates.wait_for_inside(3))) == 3
        for number in range(4):
            gates.open(str(number))
        for client in clients:
            assert client.read_response().status == 200
    assert server.stop() == 0


def test_a_number_set_by_hand_stays_until_a_reload(serve: Serve) -> None:
    server = serve(APP, "--workers", "1..2", "--threads", "1")
    server.send(signal.SIGTTIN)
    wait_for_workers(server, 2)
    server.send(signal.SIGTTIN)
    wait_for_workers(server, 3)
    server.send(signal.SIGHUP)
    server.log.wait_for("reloaded in")
    wait_for_workers(server, 2)


def test_auto_says_why(serve: Serve) -> None:
    server = serve(APP, "--workers", "auto")
    found = server.log.wait_for(r"--workers auto: (\d+), (one for each CPU|since the .* of \d+ CPUs)")
    wait_for_workers(server, int(found[1]))


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="not on this system: a second CPU")
def test_auto_follows_the_affinity() -> None:
    cpu = min(os.sched_getaffinity(0))
    with Server.start(APP, "--workers", "auto", wrapper=("taskset", "-c", str(cpu))) as server:
        found = server.log.wait_for(r"--workers auto: (\d+), since the affinity allows no more of (\d+) CPUs")
        assert found[1] == "1"


@pytest.mark.long
def test_one_fewer_after_a_quiet_minute(serve: Serve) -> None:
    server = serve(APP, "--workers", "1..2")
    with ExitStack() as stack:
        clients = [stack.enter_context(Connection(server.address, timeout=30.0)) for _ in range(12)]
        for client in clients:
            client.send(http_request(target="/sleep?seconds=3"))
        wait_for_workers(server, 2)
        for client in clients:
            assert client.read_response().status == 200
    found = server.log.wait_for(
        r"for 60 s at most \d of 8 threads were in requests: from now on 1 worker", timeout=90
    )
    assert found
    wait_for_workers(server, 1)
    assert exchange(server.address, http_request(target="/pid")).status == 200


def test_the_application_is_told_when_it_is_not_alone_any_more(serve: Serve) -> None:
    """`wsgi.multiprocess`, also in the worker that began alone."""
    server = serve("environ_page:application", "--workers", "1")

    with Connection(server.address) as kept:
        kept.send(http_request())
        assert Environ(kept.read_response())["wsgi.multiprocess"] is False
        server.send(signal.SIGTTIN)
        wait_for_workers(server, 2)
        kept.send(http_request())
        assert Environ(kept.read_response())["wsgi.multiprocess"] is True
    for _ in range(10):
        assert Environ(exchange(server.address, http_request()))["wsgi.multiprocess"] is True


@pytest.mark.parametrize("workers", ["1", "1..2"])
def test_a_worker_that_comes_later_gets_the_new_clients(serve: Serve, workers: str) -> None:
    """Until it has as many as the one that began alone."""
    server = serve(APP, "--workers", workers, "--threads", "2", "--log-level", "debug")
    (first,) = server.worker_pids()
    with ExitStack() as stack:

        def served(count: int) -> Counter[int]:
            clients = [stack.enter_context(Connection(server.address)) for _ in range(count)]
            pids: Counter[int] = Counter()
            for client in clients:
                client.send(http_request(target="/pid"))
                pids[int(client.read_response().body)] += 1
            return pids

        assert served(200) == {first: 200}
        server.send(signal.SIGTTIN)
        server.log.wait_for(r"worker 2 \(pid \d+\) ready after")
        later = served(150)
        assert later[first] <= 20, later
