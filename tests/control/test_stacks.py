"""`tapster stacks`: what every thread does, also while the application is stuck."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from tests.wire import Connection, http_request

if TYPE_CHECKING:
    from tests.control.conftest import Operate
    from tests.process.conftest import Gates


def test_stuck_threads_are_shown_with_their_code(operate: Operate, gates: Gates) -> None:
    operator = operate("steps:application", "--threads", "2", "--workers", "2", env=gates.env)
    with ExitStack() as stack:
        for name in ("one", "two"):
            connection = stack.enter_context(Connection(operator.server.address))
            connection.send(http_request(target=f"/gate?name={name}"))
            gates.wait_inside(name)
        text = operator.say("stacks")
        assert text.count("steps.py") >= 2
        assert text.count(" gate") >= 2
        answer = operator.ask(command="stacks")
        assert [worker["worker"] for worker in answer["workers"]] == [1, 2]
        assert all(worker["complete"] and worker["text"] for worker in answer["workers"])
        assert sorted(worker["pid"] for worker in answer["workers"]) == operator.server.worker_pids()
        gates.open("one")
        gates.open("two")


def test_a_held_interpreter_is_shown_too(operate: Operate, gates: Gates) -> None:
    operator = operate("steps:application", env=gates.env)
    with Connection(operator.server.address) as connection:
        connection.send(http_request(target="/hold?seconds=4&name=held"))
        gates.wait_inside("held")
        text = operator.say("stacks")
        assert "steps.py" in text
        assert " hold" in text
        assert connection.read_response().status == 200


def test_operators_at_once_share_one_collection(operate: Operate) -> None:
    operator = operate("plain:application", "--threads", "1")
    with operator.connect() as one, operator.connect() as other:
        one.order(command="stacks")
        other.order(command="stacks")
        for line in (one, other):
            answer = line.answer()
            assert answer["ok"]
            assert answer["workers"][0]["complete"]
