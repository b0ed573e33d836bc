"""Counters are exact, whatever becomes of the workers: killed, recycled, reloaded."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.metrics.scrape import ADMIN, wait_for, wait_for_requests
from tests.server import wait_gone
from tests.wire import Connection, http_request

if TYPE_CHECKING:
    from tests.conftest import Serve
    from tests.server import Server

APP = "steps:application"
CLIENTS = 4


def ask(server: Server, count: int, answered: Counter[tuple[str, str]]) -> None:
    """This many requests over connections that are made anew whenever the server closes one."""
    sent = 0
    while sent < count:
        with Connection(server.address, timeout=60.0) as connection:
            while sent < count:
                method = ("GET", "POST", "HEAD")[sent % 3]
                target = "/status?code=404" if sent % 10 == 0 else "/pid"
                body = b"12345" if method == "POST" else None
                connection.send(http_request(method, target, body=body))
                response = connection.read_response(method)
                answered[str(response.status), method] += 1
                sent += 1
                if response.closes:
                    break


def ask_at_once(server: Server, count: int, answered: Counter[tuple[str, str]]) -> None:
    """The same by several clients."""
    tallies = [Counter[tuple[str, str]]() for _ in range(CLIENTS)]
    threads = [threading.Thread(target=ask, args=(server, count // CLIENTS, tally)) for tally in tallies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for tally in tallies:
        answered.update(tally)


def sums_agree(server: Server, rounds: int, requests: int) -> None:
    """Between the rounds all is counted, and then a worker is killed or all are replaced."""
    answered = Counter[tuple[str, str]]()
    for turn in range(rounds):
        ask_at_once(server, requests // rounds, answered)
        wait_for_requests(server, answered.total())
        workers = server.worker_pids()
        if turn % 2:
            server.send(signal.SIGHUP)
            wait_gone(workers, 60.0)
        else:
            os.kill(workers[0], signal.SIGKILL)
            wait_gone(workers[:1], 60.0)
        wait_for(server, lambda scrape: scrape.sum("tapster_workers", state="ready") == 4)
    scrape = wait_for_requests(server, answered.total())
    assert scrape.sum("tapster_requests_total") == answered.total() == requests
    for (status, method), count in answered.items():
        assert scrape.sum("tapster_requests_total", status=status, method=method) == count
    assert scrape.sum("tapster_request_duration_seconds_count") == requests
    assert scrape.sum("tapster_request_app_seconds_count") == requests
    posts = sum(count for (_, method), count in answered.items() if method == "POST")
    assert scrape.sum("tapster_request_body_bytes_total") == 5 * posts


def start(serve: Serve, max_requests: int) -> Server:
    workers = ("--workers", "4", "--threads", "2", "--max-requests", str(max_requests))
    return serve(APP, *ADMIN, *workers, "--access-log", "off")


def test_sums_agree_after_kills_and_recycling(serve: Serve) -> None:
    sums_agree(start(serve, 200), 4, 2000)


@pytest.mark.long
def test_sums_agree_after_many_of_both(serve: Serve) -> None:
    sums_agree(start(serve, 1000), 10, 50_000)
