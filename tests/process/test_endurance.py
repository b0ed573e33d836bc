"""Minutes instead of moments: what goes wrong once in thousands of times. Run by `make test-long`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.load import Load
from tests.process.test_crash import assert_unanswered, pid_of, wait_for_workers
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.address import Address
    from tests.conftest import Serve
    from tests.server import Server

pytestmark = pytest.mark.long

APP = "steps:application"
PATIENCE = 5.0


@contextmanager
def busy_processors() -> Generator[None, None, None]:
    """More processes that want to run than processors: every thread is put aside in the worst places."""
    words = [sys.executable, "-c", "while True: pass"]
    burners = [subprocess.Popen(words) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def on_new_connections(address: Address, until: float) -> int:
    count = 0
    while time.monotonic() < until:
        target = ("/pid", "/sleep?seconds=0.001", "/spin?seconds=0.001")[count % 3]
        assert exchange(address, http_request(target=target), timeout=PATIENCE).status == 200
        count += 1
        time.sleep(0.001 * (count % 10))
    return count


def on_one_connection(address: Address, until: float) -> int:
    count = 0
    with Connection(address, PATIENCE) as connection:
        while time.monotonic() < until:
            connection.send(http_request(target="/pid"))
            assert connection.read_response().status == 200
            count += 1
            time.sleep(0.001 * (count % 7))
    return count


@pytest.mark.parametrize("threads", ["1", "2", "8"])
@pytest.mark.parametrize("clients", [1, 4])
def test_no_request_is_forgotten_on_a_busy_machine(serve: Serve, threads: str, clients: int) -> None:
    server = serve(APP, "--threads", threads)
    until = time.monotonic() + 15.0
    with busy_processors(), ThreadPoolExecutor(clients) as pool:
        kinds = [on_new_connections, on_one_connection]
        futures = [pool.submit(kinds[number % 2], server.address, until) for number in range(clients)]
        assert sum(future.result() for future in futures) > 100


def test_twenty_reloads_under_load(serve: Serve) -> None:
    server: Server = serve(APP, "--workers", "2")
    with Load(server.address, connections=32) as load:
        for _ in range(20):
            server.reload()
            load.wait_for(100)
    assert load.tally.failures == []
    assert len(server.worker_pids()) == 2


@pytest.mark.timeout(180)
def test_a_hundred_crashes_in_a_minute(serve: Serve) -> None:
    server = serve(APP, "--workers", "2")
    start = time.monotonic()
    for _ in range(100):
        assert_unanswered(server, "/hard-exit")
    assert pid_of(server) > 0
    assert time.monotonic() - start < 120
    wait_for_workers(server, 2, [], timeout=15.0)
