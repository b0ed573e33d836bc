"""Counters are exact, and so is the access log, whatever becomes of the workers: killed, recycled, reloaded."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.access_log.asking import lines_of
from tests.metrics.scrape import ADMIN, wait_for, wait_for_requests
from tests.metrics.statistics import STATS, document, requests
from tests.server import wait_gone
from tests.wire import Connection, http_request

if TYPE_CHECKING:
    from pathlib import Path

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


def logged(access: Path) -> Counter[tuple[str, str]]:
    """What the access log says, by status and method."""
    lines = (line.split(" ") for line in access.read_text().splitlines())
    return Counter((status, method) for status, method in lines)


def sums_agree(server: Server, access: Path, rounds: int, total: int) -> None:
    """Between the rounds all is counted, and then a worker is killed or all are replaced.

    A worker that is killed loses the lines of its last 20 ms. One that was idle for longer has written all, so that none is
    missing: the test waits for them, as an operator would who looks.
    """
    answered = Counter[tuple[str, str]]()
    for turn in range(rounds):
        ask_at_once(server, total // rounds, answered)
        wait_for_requests(server, answered.total())
        lines_of(access, answered.total())
        workers = server.worker_pids()
        if turn % 2:
            server.send(signal.SIGHUP)
            wait_gone(workers, 60.0)
        else:
            os.kill(workers[0], signal.SIGKILL)
            wait_gone(workers[:1], 60.0)
        wait_for(server, lambda scrape: scrape.sum("tapster_workers", state="ready") == 4)
    scrape = wait_for_requests(server, answered.total())
    assert scrape.sum("tapster_requests_total") == answered.total() == total
    for (status, method), count in answered.items():
        assert scrape.sum("tapster_requests_total", status=status, method=method) == count
    assert scrape.sum("tapster_request_duration_seconds_count") == total
    assert scrape.sum("tapster_request_app_seconds_count") == total
    posts = sum(count for (_, method), count in answered.items() if method == "POST")
    assert scrape.sum("tapster_request_body_bytes_total") == 5 * posts
    assert requests(document(server)) == total
    assert server.stop() == 0
    assert logged(access) == answered


def start(serve: Serve, access: Path, max_requests: int) -> Server:
    workers = ("--workers", "4", "--threads", "2", "--max-requests", str(max_requests))
    log = ("--access-log", str(access), "--access-log-format", "%(status) %(method)")
    return serve(APP, *ADMIN, *STATS, *workers, *log)


def test_sums_agree_after_kills_and_recycling(serve: Serve, tmp_path: Path) -> None:
    access = tmp_path / "access.log"
    sums_agree(start(serve, access, 200), access, 4, 2000)


@pytest.mark.long
def test_sums_agree_after_many_of_both(serve: Serve, tmp_path: Path) -> None:
    access = tmp_path / "access.log"
    sums_agree(start(serve, access, 1000), access, 10, 50_000)
