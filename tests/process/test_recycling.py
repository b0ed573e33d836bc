"""Workers that are due (requests, age, memory) are replaced one after the other, and no client notices."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from tests.kernel import resident
from tests.load import Load
from tests.server import wait_gone
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from tests.conftest import Serve
    from tests.process.conftest import Gates, Project
    from tests.server import Server

APP = "steps:application"
DUE = r"worker \d+ \(pid (\d+)\) .*it goes when a new worker is ready"


def retired(server: Server) -> list[int]:
    """The workers that were due so far."""
    return [int(found[1]) for line in server.log.lines(0) if (found := re.search(DUE, line))]


def wait_for_retired(server: Server, count: int, timeout: float = 30.0) -> list[int]:
    deadline = time.monotonic() + timeout
    while len(retired(server)) < count:
        assert time.monotonic() < deadline, f"only {retired(server)} are due"
        time.sleep(0.02)
    return retired(server)


def test_after_max_requests(serve: Serve) -> None:
    server = serve(APP, "--workers", "2", "--max-requests", "400", "--max-requests-jitter", "100")
    first = server.worker_pids()
    with Load(server.address) as load:
        due = wait_for_retired(server, 6)
        wait_gone(due[:5], 40.0)
        load.wait_for(50)
    assert load.tally.failures == []
    assert set(first) <= set(due)
    answered = [
        int(number) for line in server.log.find("answered") for number in re.findall(r"(\d+) req", line)
    ]
    assert all(number >= 400 for number in answered)


def test_of_a_burst_of_connections_none_is_reset(serve: Serve) -> None:
    """Each request on a connection of its own, none of which may be refused, reset or left unanswered."""
    server = serve(APP, "--workers", "2", "--max-requests", "50")
    deadline = time.monotonic() + 60.0
    while len(retired(server)) < 4:
        assert time.monotonic() < deadline, f"only {retired(server)} are due"
        for _ in range(50):
            answer = exchange(server.address, http_request(target="/pid", fields={"Connection": "close"}))
            assert answer.status == 200


def test_after_a_lifetime(serve: Serve) -> None:
    server = serve(
        APP, "--workers", "2", "--max-worker-lifetime", "500ms", "--max-worker-lifetime-jitter", "200ms"
    )
    with Load(server.address, connections=4) as load:
        due = wait_for_retired(server, 4)
        wait_gone(due[:3], 40.0)
        load.wait_for(50)
    assert load.tally.failures == []


def test_beyond_max_rss(serve: Serve) -> None:
    bound = resident(serve("leaks:application").worker_pids()[0]) + (64 << 20)
    server = serve("leaks:application", "--max-rss", str(bound))
    (old,) = server.worker_pids()
    deadline = time.monotonic() + 30.0
    with Connection(server.address) as client:
        while old in server.worker_pids():
            assert time.monotonic() < deadline, "the worker was not replaced"
            client.send(http_request(target="/leak" if resident(old) < bound + (32 << 20) else "/"))
            answer = client.read_response()
            assert answer.status == 200
            if answer.closes:
                break
    wait_gone([old], 20.0)
    server.log.wait_for(r"uses \d+ MiB of memory of its own, more than \d+ MiB \(--max-rss\)")
    # The connection is handed over between two requests: the last of them may be the new worker's.
    assert exchange(server.address, http_request()).body in (b"0", b"1")


def test_a_bound_on_memory_that_no_worker_can_keep(serve: Serve) -> None:
    server = serve("leaks:application", "--max-rss", "1M")
    workers = server.worker_pids()
    server.log.wait_for("--max-rss is too low")
    time.sleep(4.0)  # longer than it would take to be judged
    assert server.worker_pids() == workers
    assert retired(server) == []


def test_a_broken_deploy_does_not_end_those_that_are_due(serve: Serve, project: Project) -> None:
    server = serve("versioned:app", "--max-requests", "20", cwd=project.directory)
    (old,) = server.worker_pids()
    project.replace("raise RuntimeError('planned')\n")
    with Load(server.address, connections=2) as load:
        server.log.wait_for(r"trying again in 0\.20 s")
        load.wait_for(100)
        assert old in server.worker_pids()
        project.write("2")
        wait_gone([old], 20.0)
        load.wait_for(20)
    assert load.tally.failures == []


def test_a_request_that_runs_is_finished(serve: Serve, gates: Gates) -> None:
    server = serve(APP, "--max-requests", "3", env=gates.env)
    (old,) = server.worker_pids()
    with Connection(server.address) as client:
        client.send(http_request(target="/gate?name=long"))
        assert gates.wait_inside("long") == old
        for _ in range(5):
            exchange(server.address, http_request(target="/pid"))
        deadline = time.monotonic() + 25.0
        while exchange(server.address, http_request(target="/pid")).body == str(old).encode():
            assert time.monotonic() < deadline, "the successor never served"
        gates.open("long")
        assert client.read_response().body == b"opened long"
    wait_gone([old], 20.0)
