"""The request `live`: what a screen that follows the server reads again and again."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

from tests.hosts.waiting import wait_until
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from tests.control.conftest import Operate
    from tests.control.operator import Operator
    from tests.process.conftest import Gates

MEASURED = ("--admin-bind", "127.0.0.1:0")


def counted(operator: Operator, requests: int) -> dict[str, Any]:
    """A reading with so many requests. They are counted a moment after their answers have left."""
    wait_until(lambda: operator.ask(command="live")["totals"]["requests"] == requests, "all are counted")
    return operator.ask(command="live")


def test_a_reading_has_counters_histograms_and_processes(operate: Operate) -> None:
    operator = operate("steps:application", *MEASURED, "--workers", "2", "--threads", "2")
    for _ in range(3):
        assert exchange(operator.server.address, http_request("POST", "/pid", body=b"12345")).status == 200
    reading = counted(operator, 3)
    assert (reading["ok"], reading["pid"], reading["state"]) == (True, operator.server.pid, "serving")
    assert reading["totals"]["statuses"]["2xx"] == 3
    assert (reading["totals"]["threads"], reading["totals"]["busy"], reading["running"]) == (4, 0, [])
    measured = reading["measured"]
    assert [sum(measured[name]["buckets"]) for name in ("duration", "queued", "app")] == [3, 3, 3]
    assert measured["received"] == 15
    assert reading["supervisor"]["rss"] > 1 << 20
    assert all(worker["cpu"] >= 0 and worker["restarts"] == 0 for worker in reading["workers"])
    assert [socket["queued"] for socket in reading["sockets"]] == [0]
    assert reading["front_process"] is None


def test_what_threads_run_is_told_with_its_time(operate: Operate, gates: Gates) -> None:
    operator = operate("steps:application", *MEASURED, "--threads", "2", env=gates.env)
    with Connection(operator.server.address) as connection:
        connection.send(http_request(target="/gate?name=one"))
        gates.wait_inside("one")
        (first,) = operator.ask(command="live")["running"]
        (second,) = operator.ask(command="live")["running"]
        gates.open("one")
        assert connection.read_response().status == 200
    assert (first["worker"], first["method"], first["target"]) == (1, "GET", "/gate")
    assert first["thread"] in (1, 2)
    assert 0 <= first["seconds"] < second["seconds"] < 600


def test_sums_stay_when_a_worker_dies(operate: Operate) -> None:
    operator = operate("steps:application", *MEASURED)
    for _ in range(4):
        assert exchange(operator.server.address, http_request(target="/pid")).status == 200
    before = counted(operator, 4)
    (worker,) = before["workers"]
    os.kill(worker["pid"], signal.SIGKILL)

    def is_replaced() -> bool:
        workers = operator.ask(command="live")["workers"]
        return any(one["state"] == "ready" and one["pid"] != worker["pid"] for one in workers)

    wait_until(is_replaced, "another worker serves")
    assert exchange(operator.server.address, http_request(target="/pid")).status == 200
    after = counted(operator, 5)
    assert sum(after["measured"]["duration"]["buckets"]) == 5
    assert sum(one["requests"] for one in after["workers"]) == 1
    assert sum(one["restarts"] for one in after["workers"]) >= (after["workers"][0]["worker"] == 1)
