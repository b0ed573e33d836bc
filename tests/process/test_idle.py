"""An idle server sleeps: fewer than five wake-ups a second in all its processes together."""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from tests.conftest import Serve
    from tests.server import Server

SECONDS = 3


def switches(server: Server) -> int:
    """How often a thread of the server has gone to sleep so far: it woke up as often."""
    total = 0
    for pid in [server.pid, *server.worker_pids()]:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(FileNotFoundError):
                status = Path(f"/proc/{pid}/task/{thread}/status").read_text()
                total += sum(int(count) for count in re.findall(r"voluntary_ctxt_switches:\s*(\d+)", status))
    return total


def test_an_idle_server_sleeps(serve: Serve) -> None:
    server = serve("plain:application", "--workers", "2")
    with Connection(server.address) as idle:
        idle.send(http_request())
        idle.read_response()
        for _ in range(20):
            exchange(server.address, http_request())
        time.sleep(0.5)
        before = switches(server)
        time.sleep(SECONDS)
        assert switches(server) - before < 5 * SECONDS
