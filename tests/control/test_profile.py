"""`tapster profile`: what requests spend their time on."""

from __future__ import annotations

import json
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tests.wire import Connection, http_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.control.conftest import Operate
    from tests.process.conftest import Gates

#: Has a thread of its own, which computes and never ends.
OWN_THREAD = """
import threading

def spin():
    while True:
        sum(range(1000))

threading.Thread(target=spin, daemon=True, name="own thread").start()

def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "0")])
    return []
"""


def test_what_a_request_does_is_drawn(operate: Operate, gates: Gates, tmp_path: Path) -> None:
    operator = operate("steps:application", "--workers", "2", env=gates.env)
    picture, document = tmp_path / "profile.svg", tmp_path / "profile.json"
    with Connection(operator.server.address) as connection:
        connection.send(http_request(target="/gate?name=held"))
        gates.wait_inside("held")
        said = operator.say("profile", "--seconds", "1", "-o", str(picture))
        assert said.startswith(f"{picture}: ")
        assert " samples of 2 workers in " in said
        assert "steps.py" in said
        operator.say("profile", "--seconds", "1", "--rate", "50", "--output", str(document))
        lines = operator.say("profile", "--seconds", "1", "-o", "-").splitlines()
        answer = json.loads(operator.say("profile", "--seconds", "1", "--json"))
        gates.open("held")
    assert [worker["worker"] for worker in answer["workers"]] == [1, 2]
    drawn = picture.read_text()
    assert drawn.startswith("<?xml")
    assert "gate (steps.py:" in drawn
    seen = json.loads(document.read_text())
    frames = [frame["name"] for frame in seen["shared"]["frames"]]
    assert "gate" in frames
    assert [profile["name"] for profile in seen["profiles"]] == ["worker 1", "worker 2"]
    # All that passed is the request's, but for the time before the first look.
    (weight,) = [sum(profile["weights"]) for profile in seen["profiles"] if profile["weights"]]
    assert 900_000 <= weight <= 60_000_000
    assert [line for line in lines if "gate (steps.py:" not in line] == [], "nothing else ran"
    assert sum(int(line.rpartition(" ")[2]) for line in lines) >= 900_000


def test_time_on_a_cpu_of_all_threads(operate: Operate, tmp_path: Path) -> None:
    (tmp_path / "spinning.py").write_text(OWN_THREAD)
    operator = operate("spinning:application", cwd=tmp_path)
    lines = operator.say("profile", "--seconds", "1", "--clock", "cpu", "--threads", "all", "-o", "-")
    assert lines.startswith("own thread;spin (spinning.py:")
    assert "threading.py" not in lines, "how every thread begins says nothing"
    done = operator.run("profile", "--seconds", "1", "-o", str(tmp_path / "none.svg"))
    assert done.returncode == 1
    assert "no request ran in 1 s (--threads all shows the application's own threads)" in done.stderr
    assert not (tmp_path / "none.svg").exists()


def test_one_at_a_time_and_none_without_anybody_who_waits(operate: Operate) -> None:
    operator = operate("plain:application")
    request = {"command": "profile", "seconds": 3600, "rate": 100}
    with operator.connect() as first:
        first.order(**request)
        # Requests of one connection are answered in their order, so this one is taken after that of the first.
        while "another profile is being made" not in (
            error := operator.ask(**request | {"seconds": 1}).get("error", "")
        ):
            assert not error, error
    while error := operator.ask(**request | {"seconds": 1}).get("error"):
        assert "another profile is being made" in error
    assert "takes 1 to 3600 seconds" in operator.ask(**request | {"seconds": 3601})["error"]


def test_a_stop_ends_it_with_what_was_seen(operate: Operate, gates: Gates) -> None:
    operator = operate("steps:application", env=gates.env)
    with Connection(operator.server.address) as connection, ThreadPoolExecutor() as pool:
        connection.send(http_request(target="/gate?name=held"))
        gates.wait_inside("held")
        mark = operator.server.log.mark()
        profile = pool.submit(operator.say, "profile", "--seconds", "600", "-o", "-")
        operator.server.log.wait_for("profile", mark)
        operator.server.send(signal.SIGTERM)
        assert "gate (steps.py:" in profile.result(timeout=60.0)
        gates.open("held")
        assert connection.read_response().body == b"opened held"
    assert operator.server.wait(20.0) == 0
