"""The commands for a running server, one by one."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest

from tests.hosts.waiting import wait_until
from tests.kernel import wait_until_stopped
from tests.server import run
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.control.conftest import Operate
    from tests.control.operator import Operator
    from tests.process.conftest import Gates, Project


def wait_for_workers(operator: Operator, states: list[str]) -> None:
    """Waits until the workers are in these states."""
    deadline = time.monotonic() + 40.0
    while sorted(worker["state"] for worker in operator.status()["workers"]) != states:
        assert time.monotonic() < deadline, operator.status()
        time.sleep(0.05)


def test_status_tells_of_every_worker_and_counts(operate: Operate) -> None:
    operator = operate("plain:application", "--workers", "2", "--threads", "3")
    wait_for_workers(operator, ["ready", "ready"])
    for _ in range(5):
        assert exchange(operator.server.address, http_request(target="/hello")).status == 200
    assert exchange(operator.server.address, b"NONSENSE\r\n\r\n").status == 400
    # A request is counted a moment after its answer has left.
    wait_until(lambda: operator.status()["totals"]["refused"] == 1, "the refusal is counted")
    wait_until(lambda: operator.status()["totals"]["requests"] == 5, "the requests are counted")
    status = operator.status()
    assert (status["ok"], status["pid"], status["app"]) == (True, operator.server.pid, "plain:application")
    assert (status["state"], status["wanted"], status["threads"]) == ("serving", 2, 3)
    assert [worker["worker"] for worker in status["workers"]] == [1, 2]
    assert sorted(worker["pid"] for worker in status["workers"]) == operator.server.worker_pids()
    assert all(worker["rss"] > 1 << 20 and worker["generation"] == 0 for worker in status["workers"])
    assert sum(worker["requests"] for worker in status["workers"]) == 5
    assert (status["totals"]["requests"], status["totals"]["refused"]) == (5, 1)
    assert (status["totals"]["statuses"]["2xx"], status["totals"]["statuses"]["4xx"]) == (5, 1)
    assert status["last_reload"] is None
    text = operator.say("status")
    assert f"pid {operator.server.pid}: plain:application, serving for" in text
    assert "2 of 2 ready, 3 threads each" in text
    assert "5 answered by the application, 1 refused" in text


def test_status_tells_of_busy_threads(operate: Operate, gates: Gates) -> None:
    operator = operate("steps:application", env=gates.env)
    with Connection(operator.server.address) as connection:
        connection.send(http_request(target="/gate?name=one"))
        gates.wait_inside("one")
        assert operator.status()["workers"][0]["busy"] == 1
        gates.open("one")
        assert connection.read_response().status == 200


def test_a_reload_is_answered_when_it_has_ended(operate: Operate, project: Project) -> None:
    operator = operate("versioned:app", "--workers", "2", cwd=project.directory)
    project.write("2")
    assert re.fullmatch(r"reloaded in \d+\.\d\d s\n", operator.say("reload"))
    assert exchange(operator.server.address, http_request(target="/version")).body == b"2"
    status = operator.status()
    assert (status["reloads"], status["last_reload"]["ok"]) == ({"ok": 1, "failed": 0}, True)
    assert {worker["generation"] for worker in status["workers"] if worker["state"] == "ready"} == {1}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import no_such_module_planned\n", "no_such_module_planned"),
        ("def broken(:\n", "SyntaxError"),
        ("raise RuntimeError('planned')\n", "RuntimeError: planned"),
        ("other = 1\n", "there is no `app`"),
        ("import os\nos._exit(3)\n", "exited with code 3 while it loaded the application"),
    ],
    ids=["import", "syntax", "raises", "no-app", "exits"],
)
def test_a_reload_onto_a_broken_application_fails_with_the_reason(
    operate: Operate, project: Project, text: str, reason: str
) -> None:
    operator = operate("versioned:app", cwd=project.directory)
    operator.server.allow("SyntaxError|no_such_module_planned")
    project.replace(text)
    done = operator.run("reload")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("tapster: error: TAP0118 not reloaded: ")
    assert reason in done.stderr
    assert exchange(operator.server.address, http_request(target="/version")).body == b"1"
    status = operator.status()
    assert status["reloads"] == {"ok": 0, "failed": 1}
    assert reason in status["last_reload"]["error"]
    assert reason in operator.say("status")
    project.write("2")
    operator.say("reload")
    assert operator.status()["last_reload"]["error"] is None
    assert reason not in operator.say("status")


def test_reloads_at_once_are_folded_and_all_are_answered(operate: Operate, project: Project) -> None:
    operator = operate("versioned:app", "--workers", "2", cwd=project.directory)
    project.write("2", before="import time\ntime.sleep(0.3)")
    with operator.connect() as one, operator.connect() as other:
        one.order(command="reload")
        other.order(command="reload")
        assert (one.answer()["ok"], other.answer()["ok"]) == (True, True)
    assert operator.status()["reloads"] == {"ok": 1, "failed": 0}


def test_a_reload_that_a_stop_overtakes_is_answered(operate: Operate, project: Project) -> None:
    operator = operate("versioned:app", cwd=project.directory)
    project.write("2", before="import time\ntime.sleep(30)")
    with operator.connect() as line:
        line.order(command="reload")
        operator.server.log.wait_for("reloading")
        operator.server.send(signal.SIGTERM)
        answer = line.answer()
    assert (answer["ok"], answer["error"]) == (False, "the server was told to stop")


def test_scale_sets_the_number_of_workers(operate: Operate) -> None:
    operator = operate("plain:application")
    assert operator.say("scale", "3") == "from now on 3 workers\n"
    wait_for_workers(operator, ["ready"] * 3)
    assert operator.say("scale", "1") == "from now on 1 worker\n"
    wait_for_workers(operator, ["ready"])
    refused = operator.run("scale", "1000")
    assert refused.returncode == 1
    assert "refused; workers: 1, as before" in refused.stderr


@pytest.mark.parametrize("by", ["number", "pid"])
def test_recycle_replaces_one_worker(operate: Operate, by: str) -> None:
    operator = operate("plain:application", "--workers", "2")
    wait_for_workers(operator, ["ready", "ready"])
    first, second = (worker["pid"] for worker in operator.status()["workers"])
    name = "1" if by == "number" else str(first)
    assert operator.say("recycle", name) == f"worker 1 (pid {first}) is being replaced\n"
    deadline = time.monotonic() + 40.0
    while first in operator.server.worker_pids():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    wait_for_workers(operator, ["ready", "ready"])
    assert second in operator.server.worker_pids()
    unknown = operator.run("recycle", "77")
    assert unknown.returncode == 1
    assert "no worker that serves has the number or pid 77" in unknown.stderr


def test_stop_returns_when_the_server_has_ended(operate: Operate, gates: Gates) -> None:
    operator = operate("steps:application", env=gates.env)
    with Connection(operator.server.address) as connection, operator.connect() as line:
        connection.send(http_request(target="/gate?name=last"))
        gates.wait_inside("last")
        assert line.ask(command="stop")["pid"] == operator.server.pid
        assert operator.status()["state"] == "stopping"
        assert operator.run("health", "--ready").returncode == 1
        assert operator.run("health").returncode == 0
        refused = operator.run("reload")
        assert (refused.returncode, "the server is stopping" in refused.stderr) == (1, True)
        gates.open("last")
        assert connection.read_response().status == 200
        assert line.is_closed()
    assert operator.server.wait() == 0
    assert not operator.path.exists()


def test_the_command_stops_a_server(operate: Operate) -> None:
    operator = operate("plain:application")
    assert operator.say("stop") == f"stopped: pid {operator.server.pid}\n"
    assert operator.server.wait() == 0


def test_a_second_stop_ends_at_once(operate: Operate, gates: Gates) -> None:
    operator = operate("steps:application", env=gates.env)
    with Connection(operator.server.address) as connection:
        connection.send(http_request(target="/gate?name=never"))
        gates.wait_inside("never")
        assert operator.ask(command="stop")["ok"]
        operator.say("stop")
    assert operator.server.wait() == 0


def test_health_tells_by_its_exit_status(operate: Operate) -> None:
    operator = operate("plain:application")
    assert operator.say("health") == "live\n"
    assert operator.say("health", "--ready") == "ready\n"
    assert json.loads(operator.say("health", "--json")) == {"ok": True, "ready": True, "started": True}
    operator.server.stop()
    done = operator.run("health")
    assert done.returncode == 1
    assert "there is no control socket" in done.stderr


def test_a_killed_server_is_not_healthy_and_its_socket_is_replaced(operate: Operate) -> None:
    operator = operate("plain:application")
    os.kill(operator.server.pid, signal.SIGKILL)
    operator.server.wait()
    done = operator.run("health")
    assert (done.returncode, "no server listens" in done.stderr) == (1, True)
    assert operate("plain:application").say("health") == "live\n"


def test_a_server_without_a_socket_is_told_by_signals() -> None:
    done = run("status", "--control-socket", "off")
    assert done.returncode == 1
    assert "HUP reloads, TERM stops" in done.stderr


def test_restarts_are_counted_by_reason(operate: Operate) -> None:
    operator = operate("plain:application")
    worker = operator.server.worker_pids()[0]
    os.kill(worker, signal.SIGKILL)
    operator.server.log.wait_for("SIGKILL unasked")
    wait_for_workers(operator, ["ready"])
    assert operator.status()["restarts"] == {"killed by a signal": 1}
    assert "killed by a signal 1" in operator.say("status")


def test_status_counts_clients_for_whom_there_was_no_room(operate: Operate) -> None:
    operator = operate("plain:application", "--backlog", "1")
    (worker,) = operator.server.worker_pids()
    assert operator.status()["sockets"] == [{"backlog": 1, "queued": 0, "overflows": 0}]
    os.kill(worker, signal.SIGSTOP)
    wait_until_stopped(worker)
    with ExitStack() as stack:
        # Two fit into a queue of one; the third is dropped, and its client tries again until its patience ends.
        with suppress(TimeoutError):
            for _ in range(5):
                stack.enter_context(operator.server.address.connect(0.5))
        os.kill(worker, signal.SIGCONT)
    assert operator.status()["sockets"][0]["overflows"] > 0
    assert "connections dropped by the system (listen queue full)" in operator.say("status")


def test_status_counts_panics_of_extensions(operate: Operate, tmp_path: Path) -> None:
    """PyO3 raises them as an exception of this name."""
    operator = operate("faulty:application", env={"EVENTS": str(tmp_path)})
    for _ in range(3):
        assert exchange(operator.server.address, http_request(target="/panics")).status == 500
    wait_until(lambda: operator.status()["totals"]["panics"] == 3, "all are counted")
    assert "3 panics caught" in operator.say("status")
