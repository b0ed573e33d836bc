"""A container that grants nothing: a number for a user, no capability, a root that cannot be written, no /tmp."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from tests.hosts.conftest import REACHABLE
from tests.server import Server, wait_gone
from tests.wire import exchange, http_request

APP = "plain:application"
STRANGER = "3000001"
BARE = [
    *REACHABLE,
    sys.executable,
    str(Path(__file__).with_name("read_only.py")),
    *("setpriv", "--reuid", STRANGER, "--regid", STRANGER, "--clear-groups"),
    *("--bounding-set", "-all", "--inh-caps", "-all", "--no-new-privs"),
]


def start(*arguments: str) -> Server:
    return Server.start(APP, *arguments, wrapper=BARE)


def hello(server: Server) -> bytes:
    return exchange(server.address, http_request(target="/hello")).body


def test_it_serves_reloads_and_stops() -> None:
    with start("--workers", "2", "--threads", "2") as server:
        assert hello(server) == b"hello"
        server.reload()
        assert hello(server) == b"hello"
        assert server.stop() == 0


def test_a_crash_and_a_killed_supervisor() -> None:
    with start("--workers", "1") as server:
        (worker,) = server.worker_pids()
        mark = server.log.mark()
        os.kill(worker, signal.SIGKILL)
        server.log.wait_for(f"pid {worker}.* was killed by SIGKILL", mark)
        assert hello(server) == b"hello"
        workers = server.worker_pids()
        server.send(signal.SIGKILL)
        server.wait()
        wait_gone(workers, 20.0)


def test_a_large_body_is_refused_and_harms_nobody() -> None:
    with start() as server:
        body = b"x" * (1 << 20)
        answer = exchange(server.address, http_request("POST", "/echo", body=body))
        assert answer.status == 500
        server.log.wait_for("cannot write a request body.*--temp-dir")
        assert hello(server) == b"hello"


def test_the_body_that_memory_holds_is_served() -> None:
    with start("--body-memory", "2MiB") as server:
        body = b"x" * (1 << 20)
        assert exchange(server.address, http_request("POST", "/echo", body=body)).status == 200
