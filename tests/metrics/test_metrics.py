"""`/-/metrics`: both formats, what is in them, and that the numbers are right."""

from __future__ import annotations

import os
import re
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.metrics import table
from tests.metrics.scrape import ADMIN, OPENMETRICS, Scrape, admin_of, wait_for, wait_for_requests
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from tests.conftest import Serve
    from tests.process.conftest import Gates


def test_both_formats_are_read_and_say_the_same(serve: Serve) -> None:
    server = serve("steps:application", *ADMIN, "--threads", "2")
    for _ in range(3):
        assert exchange(server.address, http_request(target="/pid")).status == 200
    assert exchange(server.address, http_request("POST", "/pid", body=b"12345")).status == 200
    assert exchange(server.address, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").status == 400
    wait_for_requests(server, 5)
    admin = admin_of(server)
    old, new = Scrape(admin), Scrape(admin, OPENMETRICS)
    assert old.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert new.content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert {re.sub("_(total|info)$", "", name) for name in old.families} == {
        re.sub("_info$", "", name) for name in new.families
    }
    for scrape in (old, new):
        requests = scrape.sum
        assert requests("tapster_requests_total", status="200", method="GET") == 3
        assert requests("tapster_requests_total", status="200", method="POST") == 1
        assert requests("tapster_requests_total", status="400", method="unknown") == 1
        assert requests("tapster_request_duration_seconds_count") == 4
        assert requests("tapster_request_duration_seconds_bucket", le="+Inf") == 4
        assert requests("tapster_request_queue_seconds_count") == 4
        assert 0 < requests("tapster_request_app_seconds_sum") < 60
        assert requests("tapster_request_body_bytes_total") == 5
        assert requests("tapster_threads") == 2
        assert requests("tapster_workers", state="ready") == 1
        assert requests("tapster_ready") == 1
        assert requests("tapster_worker_resident_memory_bytes", worker="1") > 1 << 20
        assert requests("tapster_worker_requests_total", worker="1") == 4
        assert requests("tapster_gil_wait_seconds_count") > 0
        assert requests("tapster_listen_queue_limit") > 0
    assert new.families["tapster_request_duration_seconds"].unit == "seconds"


def test_what_runs_and_what_waits_is_seen(serve: Serve, gates: Gates) -> None:
    server = serve("steps:application", *ADMIN, "--threads", "1", env=gates.env)
    with Connection(server.address) as runs, Connection(server.address) as waits:
        runs.send(http_request(target="/gate?name=held"))
        gates.wait_inside("held")
        waits.send(http_request(target="/pid"))
        scrape = wait_for(server, lambda scrape: scrape.sum("tapster_requests_waiting") == 1)
        assert scrape.sum("tapster_threads_busy") == 1
        assert scrape.sum("tapster_requests_in_flight") == 2
        gates.open("held")
        assert [runs.read_response().status, waits.read_response().status] == [200, 200]
    scrape = wait_for_requests(server, 2)
    assert scrape.sum("tapster_requests_in_flight") == 0
    # The one that waited did so for as long as it was seen to.
    assert scrape.sum("tapster_request_queue_seconds_sum") > 0


def test_a_queue_that_nobody_accepts_from_is_seen(serve: Serve, tmp_path: Path) -> None:
    """The worker is stopped by a signal, so whoever comes waits in the kernel."""
    path = tmp_path / "clients.sock"
    server = serve("plain:application", *ADMIN, "--bind", "127.0.0.1:0", "--bind", f"unix:{path}")
    (worker,) = server.worker_pids()
    os.kill(worker, signal.SIGSTOP)
    server.log.wait_for("was stopped by a signal")
    try:
        with Connection(server.address), socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            tcp = f"{server.address.host}:{server.address.port}"
            wait_for(server, lambda scrape: scrape.sum("tapster_listen_queue", listener=tcp) == 1)
            queues = Scrape(admin_of(server)).families["tapster_listen_queue"].samples
            assert {sample.value for sample in queues} == {1}
    finally:
        os.kill(worker, signal.SIGCONT)


def test_reloads_and_restarts_are_counted(serve: Serve) -> None:
    server = serve("steps:application", *ADMIN)
    server.send(signal.SIGHUP)
    scrape = wait_for(server, lambda scrape: scrape.sum("tapster_reloads_total", outcome="ok") == 1)
    assert scrape.sum("tapster_last_reload_successful") == 1
    (worker,) = server.worker_pids()
    os.kill(worker, signal.SIGKILL)
    reason = "killed_by_a_signal"
    wait_for(server, lambda scrape: scrape.sum("tapster_worker_restarts_total", reason=reason) == 1)


def test_the_front_is_in_it_too(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("text")
    server = serve("plain:application", *ADMIN, "--static", f"/static={tmp_path}")
    assert exchange(server.address, http_request(target="/static/file.txt")).status == 200
    assert exchange(server.address, http_request()).status == 200

    def counted(scrape: Scrape) -> tuple[float, float]:
        front = scrape.sum("tapster_front_requests_total", **{"class": "2xx"})
        return front, scrape.sum("tapster_requests_total")

    scrape = wait_for(server, lambda scrape: counted(scrape) == (2, 1))
    assert scrape.sum("tapster_front_response_body_bytes_total") > 4


def test_nothing_is_measured_when_nobody_can_read_it(serve: Serve) -> None:
    server = serve("plain:application")
    board = next(
        line
        for line in Path(f"/proc/{server.pid}/maps").read_text().splitlines()
        if "tapster-scoreboard" in line
    )
    measured = serve("plain:application", *ADMIN)
    other = next(
        line
        for line in Path(f"/proc/{measured.pid}/maps").read_text().splitlines()
        if "tapster-scoreboard" in line
    )

    def size(line: str) -> int:
        first, last = line.split()[0].split("-")
        return int(last, 16) - int(first, 16)

    assert size(board) < size(other)


def test_the_page_about_metrics_has_each_of_them(serve: Serve) -> None:
    rows = table.made(Scrape(admin_of(serve("plain:application", *ADMIN))).text)
    if os.environ.get("TAPSTER_UPDATE_TRANSCRIPT"):
        table.write(rows)
    assert table.written() == rows, "run this test with TAPSTER_UPDATE_TRANSCRIPT=1"


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_each_metric_is_described_once(serve: Serve, accept: str) -> None:
    text = Scrape(admin_of(serve("plain:application", *ADMIN)), accept).text
    for word in ("HELP", "TYPE"):
        described = re.findall(rf"^# {word} (\S+)", text, re.MULTILINE)
        assert len(described) == len(set(described))
