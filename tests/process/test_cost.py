"""What a keep-alive request costs in system calls and context switches. Counted, not timed: a busy machine passes too."""

from __future__ import annotations

import os
import re
import signal
import statistics
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from tests import kernel
from tests.server import Server
from tests.wire import Connection, http_request

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from tests.conftest import Serve

CONNECTIONS = 64
ROUNDS = 32

#: Not counted under strace, whose stops look to the server as if the application blocked: it looks closer then.
FROM_BEING_TRACED = {"clock_gettime", "futex", "getrusage"}


@contextmanager
def connected(server: Server) -> Generator[list[Connection]]:
    """Connections that have had one request answered."""
    with ExitStack() as stack:
        clients = [stack.enter_context(Connection(server.address)) for _ in range(CONNECTIONS)]
        ask_all(clients)
        yield clients


def ask_all(clients: list[Connection]) -> None:
    """One request on each connection; answers are read when all were sent, the last one's first: it is served last."""
    for client in clients:
        client.send(http_request())
    for client in reversed(clients):
        assert client.read_response().status == 200


def test_a_request_is_a_read_a_write_and_a_share_of_a_poll(tmp_path: Path) -> None:
    few, many = (system_calls(tmp_path / str(rounds), rounds) for rounds in (0, ROUNDS))
    requests = ROUNDS * CONNECTIONS
    each = {name: (many[name] - few.get(name, 0)) / requests for name in many.keys() - FROM_BEING_TRACED}
    told = {name: round(count, 3) for name, count in each.items() if abs(count) > 0.005}
    assert 1.9 < sum(each.values()) < 2.3, told
    assert each["epoll_wait"] < 0.2, told


def system_calls(summary: Path, rounds: int) -> dict[str, int]:
    """All that a server makes from its start to its end, by name."""
    traced = ("strace", "-D", "-f", "-c", "-U", "calls,name", "-o", str(summary))
    with Server.start("plain:application", "--threads", "4", wrapper=traced) as server:
        with connected(server) as clients:
            let_clients_go_first(server)
            for _ in range(rounds):
                ask_all(clients)
        server.stop()
        # Its whole process group is ended next, and strace belongs to that.
        rows = re.findall(r"^ *(\d+) (\w+)$", wait_for_total(summary), re.MULTILINE)
    return {name: int(count) for count, name in rows if name != "total"}


def wait_for_total(summary: Path) -> str:
    """The summary, which strace writes after the server's end."""
    deadline = time.monotonic() + 10
    while not (summary.exists() and (text := summary.read_text()).endswith("total\n")):
        assert time.monotonic() < deadline, "strace wrote no summary"
        time.sleep(0.01)
    return text


def test_under_load_nobody_waits(serve: Serve) -> None:
    """Compared with rounds of one request: a process that is stopped and goes on waits now and then as well."""
    server = serve("plain:application", "--threads", "4")
    with connected(server) as clients:
        few = [waits_of_a_round(server, clients[:1]) for _ in range(ROUNDS)]
        many = [waits_of_a_round(server, clients) for _ in range(ROUNDS)]
    assert statistics.median(many) - statistics.median(few) < 0.2 * CONNECTIONS, (few, many)


def waits_of_a_round(server: Server, clients: list[Connection]) -> int:
    """How often threads that serve went to sleep, from before the requests until the answers are there.

    Requests come while the worker is stopped: so it finds them together, whoever else wants the core. The monitor looks
    around as long as it takes, which is not its matter.
    """
    (worker,) = server.worker_pids()
    before = kernel.waits(server, without="tapster-monitor")
    os.kill(worker, signal.SIGSTOP)
    kernel.wait_until_stopped(worker)
    for client in clients:
        client.send(http_request())
    os.kill(worker, signal.SIGCONT)
    for client in reversed(clients):
        assert client.read_response().status == 200
    return kernel.waits(server, without="tapster-monitor") - before


@pytest.fixture(autouse=True)
def one_core() -> Iterator[None]:
    """Clients and server share a core from the start: so the server has one lane, also where there is no GIL."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


def let_clients_go_first(server: Server) -> None:
    """The server gets the core when the clients wait, so that it finds all their requests together."""
    for _, thread in kernel.threads(server):
        os.sched_setscheduler(thread, os.SCHED_BATCH, os.sched_param(0))
