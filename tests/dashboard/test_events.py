"""What a dashboard is sent: the past at once, then every second how it is."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from tests.dashboard.following import ADMIN, Follower, admin_of, ask
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from tests.conftest import Serve
    from tests.process.conftest import Gates, Project


def test_the_past_comes_first_and_then_every_second(serve: Serve) -> None:
    server = serve("plain:application", *ADMIN, "--workers", "2")
    admin = admin_of(server)
    with Follower(admin) as follower:
        assert follower.head.status == 200
        assert follower.head.get("Content-Type") == "text/event-stream"
        assert follower.head.get("Cache-Control") == "no-store"
        assert [follower.event().name for _ in range(4)] == ["history", "messages", "slow", "reloads"]
        follower.wait_for("second")
        for _ in range(20):
            assert exchange(server.address, http_request(target="/hello")).status == 200
        counted = 0.0
        data: Any = None
        # A point has one digit behind the point.
        while round(counted) < 20:
            data = follower.wait_for("second").data
            counted += data["point"]["r"] * data["sample"]["seconds"]
        assert round(counted) == 20
        assert data["reading"]["state"] == "serving"
        assert [worker["state"] for worker in data["reading"]["workers"]] == ["ready", "ready"]
        assert sorted(worker["pid"] for worker in data["reading"]["workers"]) == server.worker_pids()
        assert data["orders"] is False
        last = follower.wait_for("second")
    with Follower(admin) as again:
        points = again.wait_for("history").data["points"]
        assert round(sum(point["r"] for point in points)) == 20
    with Follower(admin, last_id=last.id) as again:
        history = again.wait_for("history").data
        assert history["resumed"]
        assert all(point["t"] > last.data["point"]["t"] for point in history["points"])


def test_what_runs_is_shown_and_slow_requests_come_with_their_stacks(serve: Serve, gates: Gates) -> None:
    server = serve("steps:application", *ADMIN, "--slow-log", "300ms", env=gates.env)
    admin = admin_of(server)
    with Follower(admin) as follower, Connection(server.address) as connection:
        connection.send(http_request(target="/gate?name=held"))
        gates.wait_inside("held")
        while not (running := follower.wait_for("second").data["reading"]["running"]):
            pass
        assert (running[0]["method"], running[0]["target"]) == ("GET", "/gate")
        stacks = ask(admin, "/-/stacks")
        assert "steps.py" in json.loads(stacks.body)["workers"][0]["text"]
        with Follower(admin) as other:
            slow = other.wait_for("slow").data
            while not slow["entries"]:
                slow = other.wait_for("slow").data
        entry = slow["entries"][0]
        assert "--slow-log" in entry["text"]
        assert "steps.py" in entry["text"]
        assert (entry["worker"], entry["pid"]) == (1, server.worker_pids()[0])
        gates.open("held")
        assert connection.read_response().status == 200


def test_messages_of_workers_that_are_gone_are_kept(serve: Serve) -> None:
    server = serve("misbehaves:application", *ADMIN)
    server.allow("planned")
    admin = admin_of(server)
    before = server.worker_pids()
    assert exchange(server.address, http_request(target="/raise?kind=MemoryError&where=call")).status == 500
    os.kill(before[0], signal.SIGKILL)
    server.log.wait_for(r"killed by SIGKILL|SIGKILL")
    with Follower(admin) as follower:
        entries = follower.wait_for("messages").data["entries"]
        while not any(entry["worker"] is None for entry in entries):
            entries += follower.wait_for("messages").data["entries"]
    of_worker = next(entry for entry in entries if entry["worker"] == 1)
    assert "planned" in of_worker["text"]
    assert "Traceback" in of_worker["text"]
    assert (of_worker["level"], of_worker["pid"]) == ("error", before[0])


def test_reloads_are_listed_with_their_reasons(serve: Serve, project: Project) -> None:
    project.write("1")
    server = serve("versioned:app", *ADMIN, cwd=project.directory)
    server.allow("planned")
    with Follower(admin_of(server)) as follower:
        assert follower.wait_for("reloads").data == []
        server.send(signal.SIGHUP)
        (first,) = follower.wait_for("reloads").data
        assert first["error"] is None
        assert abs(first["time"] - time.time()) < 60
        project.replace("raise RuntimeError('planned')\n")
        server.send(signal.SIGHUP)
        last, first_again = follower.wait_for("reloads").data
        assert "planned" in last["error"]
        assert first_again == first


def test_dashboards_are_bounded_and_probes_are_not(serve: Serve) -> None:
    server = serve("plain:application", *ADMIN)
    admin = admin_of(server)
    with ExitStack() as stack:
        followers = [stack.enter_context(Follower(admin)) for _ in range(16)]
        assert ask(admin, "/-/events").status == 503
        assert exchange(admin, http_request(target="/-/live")).body == b"live\n"
        followers[0].close()
        while (another := stack.enter_context(Follower(admin))).head.status == 503:
            time.sleep(0.01)
        assert another.wait_for("second").data["reading"]["ready"]
        for follower in followers[1:]:
            follower.wait_for("second")


def test_who_does_not_read_holds_nobody_up(serve: Serve) -> None:
    server = serve("plain:application", *ADMIN)
    admin = admin_of(server)
    with Follower(admin), Follower(admin) as reader:
        for _ in range(3):
            reader.wait_for("second")
        assert exchange(server.address, http_request(target="/hello")).status == 200


def test_after_an_upgrade_who_follows_is_sent_to_the_next_server(serve: Serve) -> None:
    server = serve("plain:application", *ADMIN)
    admin = admin_of(server)
    with Follower(admin) as follower:
        pid = follower.wait_for("second").data["reading"]["pid"]
        server.send(signal.SIGUSR2)
        follower.read_to_end()
    while True:
        with Follower(admin) as again:
            if again.head.status == 200 and again.wait_for("second").data["reading"]["pid"] != pid:
                break
