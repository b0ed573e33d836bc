"""Processes that a signal stops: a worker that does not go on is replaced, a supervisor that was stopped blames nobody."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.hosts.waiting import wait_until
from tests.load import Load
from tests.server import wait_gone
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from tests.conftest import Serve

APP = "steps:application"


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_a_worker_that_does_not_go_on_is_replaced(serve: Serve) -> None:
    server = serve(APP, "--workers", "2", "--request-timeout", "1s", "--graceful-timeout", "100ms")
    stopped = server.worker_pids()[0]
    mark = server.log.mark()
    os.kill(stopped, signal.SIGSTOP)
    server.log.wait_for(f"{stopped}.* was stopped by a signal; until", mark)
    server.log.wait_for(f"{stopped}.* does not go on", mark)
    # It can take no leave, so it is killed when its grace is over.
    wait_gone([stopped], 20.0)
    wait_until(lambda: len(server.worker_pids()) == 2, "two workers again")
    assert exchange(server.address, http_request(target="/pid")).status == 200


def test_a_worker_that_goes_on_in_time_stays(serve: Serve) -> None:
    server = serve(APP, "--request-timeout", "60s")
    (worker,) = server.worker_pids()
    with Connection(server.address) as kept:
        kept.send(http_request(target="/pid"))
        assert int(kept.read_response().body) == worker
        mark = server.log.mark()
        os.kill(worker, signal.SIGSTOP)
        server.log.wait_for("was stopped", mark)
        kept.send(http_request(target="/pid"))
        os.kill(worker, signal.SIGCONT)
        server.log.wait_for("goes on after it was stopped", mark)
        assert int(kept.read_response().body) == worker
    assert server.worker_pids() == [worker]


def test_a_supervisor_that_was_stopped_replaces_nobody(serve: Serve) -> None:
    """Nor does one that finds its workers stopped with it, and going on."""
    server = serve(APP, "--workers", "2", "--request-timeout", "1s")
    workers = server.worker_pids()
    with Load(server.address, connections=2) as load:
        server.send(signal.SIGSTOP)
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            load.wait_for(50)
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda pid=pid: is_stopped(pid), "the worker is stopped")
        os.kill(pid, signal.SIGCONT)
    mark = server.log.mark()
    server.send(signal.SIGCONT)
    for pid in workers:
        server.log.wait_for(f"{pid}.* goes on after it was stopped", mark)
    with Load(server.address, connections=2) as after:
        after.wait_for(200)
    assert load.tally.failures == after.tally.failures == []
    assert server.worker_pids() == workers
    assert not server.log.find("does not go on", mark)
