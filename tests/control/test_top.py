"""`tapster top` on a terminal and into a pipe: what it shows of a busy server, and what its keys do."""

from __future__ import annotations

import json
import os
import re
import signal
from typing import TYPE_CHECKING

import pytest

from tests.control.terminal import Terminal
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from tests.control.conftest import Operate
    from tests.control.operator import Operator
    from tests.process.conftest import Gates, Project

FAST = ("top", "--interval", "100ms")


def watch(operator: Operator, *words: str, columns: int = 100, lines: int = 30) -> Terminal:
    """The screen of somebody who watches a server."""
    return Terminal(*FAST, *words, "--control-socket", str(operator.path), columns=columns, lines=lines)


def slowest(text: str) -> float:
    """How long the first thread of the table has run."""
    found = re.search(r"^ +1 +\d+ +([\d.]+) s GET /gate", text, re.MULTILINE)
    return float(found.group(1)) if found else 0.0


def test_a_stuck_request_shows_its_path_its_time_and_its_stack(operate: Operate, gates: Gates) -> None:
    operator = operate("steps:application", "--threads", "2", env=gates.env)
    with Connection(operator.server.address) as connection, watch(operator) as terminal:
        connection.send(http_request(target="/gate?name=stuck&secret=1"))
        gates.wait_inside("stuck")
        first = slowest(terminal.wait_for(r"GET /gate"))
        text = terminal.wait_for(lambda text: slowest(text) > first + 0.3)
        assert "secret" not in text
        assert f"pid {operator.server.pid}  serving" in text
        assert "busy 1/2" in text
        terminal.press("\ts")
        text = terminal.wait_for(r'steps\.py", line \d+, in gate')
        assert re.search(r"stack of thread \d of worker 1", text)
        terminal.press("\x1b")
        terminal.wait_for("threads: 1 in requests")
        terminal.press("\t")
        terminal.wait_for("▸ workers")
        terminal.press("s")
        terminal.wait_for("stacks of worker 1")
        gates.open("stuck")
        assert connection.read_response().status == 200
        terminal.press("qq")
        assert terminal.wait_for_end() == 0
        assert terminal.is_as_before()


def test_r_recycles_the_selected_worker_and_asks_before(operate: Operate) -> None:
    operator = operate("plain:application", "--workers", "2")
    pids = operator.server.worker_pids()
    with watch(operator) as terminal:
        terminal.wait_for("workers 2/2")
        old = operator.status()["workers"][1]["pid"]
        terminal.press("jr")
        terminal.wait_for(rf"recycle worker 2 \(pid {old}\)\? y/n")
        terminal.press("n")
        terminal.wait_for("nothing is done")
        terminal.press("ry")
        terminal.wait_for(rf"worker 2 \(pid {old}\) is being replaced")
        terminal.wait_for(lambda text: not re.search(rf"^ +2 +{old} ", text, re.MULTILINE))
        terminal.wait_for("workers 2/2")
        now = operator.server.worker_pids()
        assert old not in now
        assert set(pids) - {old} <= set(now)
        terminal.press("q")
        assert terminal.wait_for_end() == 0


def test_shift_r_reloads_and_says_why_that_failed(operate: Operate, project: Project) -> None:
    operator = operate("versioned:app", cwd=project.directory)
    with watch(operator) as terminal:
        terminal.wait_for("workers 1/1")
        terminal.press("R")
        terminal.wait_for("replace all workers")
        terminal.press("y")
        terminal.wait_for(r"reloaded in \d")
        terminal.wait_for("generation 1")
        project.write("2", before="raise RuntimeError('planned')")
        terminal.press("Ry")
        terminal.wait_for("RuntimeError: planned")
        terminal.wait_for("not reloaded:")
        terminal.press("\x1b")
        terminal.wait_for("reload FAILED")
        assert "workers 1/1" in terminal.text()


def test_a_server_that_is_replaced_is_found_again(operate: Operate) -> None:
    operator = operate("plain:application")
    with watch(operator) as terminal:
        terminal.wait_for(f"pid {operator.server.pid}  serving")
        os.kill(operator.server.pid, signal.SIGUSR2)
        text = terminal.wait_for(rf"the server is back|pid (?!{operator.server.pid} )\d+  serving")
        assert exchange(operator.server.address, http_request(target="/hello")).status == 200, text
        new = operator.status()["pid"]
        assert new != operator.server.pid
        os.kill(new, signal.SIGTERM)
        terminal.wait_for("no answer, trying again")
        assert terminal.process.poll() is None
        terminal.press("q")
        assert terminal.wait_for_end() == 0


@pytest.mark.parametrize("ending", ["q", "\x03", signal.SIGTERM, signal.SIGINT])
def test_the_terminal_is_given_back_whatever_ends_it(operate: Operate, ending: str | int) -> None:
    operator = operate("plain:application")
    with watch(operator, columns=60, lines=15) as terminal:
        terminal.wait_for("workers by number")
        assert not terminal.is_as_before()
        if isinstance(ending, str):
            terminal.press(ending)
        else:
            terminal.process.send_signal(ending)
        assert terminal.wait_for_end() == 0
        assert terminal.is_as_before()


def test_ctrl_z_gives_the_terminal_to_the_shell_and_fg_takes_it_back(operate: Operate) -> None:
    operator = operate("plain:application")
    # Without a shell that controls jobs the system stops nobody.
    script = 'set -m; "$@"; echo "the shell"; read line; fg >/dev/null; echo "ended with $?"'
    words = (*FAST, "--control-socket", str(operator.path))
    with Terminal(*words, script=script) as terminal:
        terminal.wait_for("workers by number")
        terminal.press("\x1a")
        terminal.wait_for("the shell")
        assert terminal.is_as_before()
        terminal.press("\n")
        terminal.wait_for(lambda text: "workers by number" in text and "the shell" not in text)
        terminal.press("q")
        terminal.wait_for("ended with 0")
        assert terminal.wait_for_end() == 0
        assert terminal.is_as_before()


def test_into_a_pipe_it_prints_plain_tables(operate: Operate, gates: Gates) -> None:
    operator = operate("steps:application", "--threads", "2", env=gates.env)
    with Connection(operator.server.address) as connection:
        connection.send(http_request(target="/gate?name=held"))
        gates.wait_inside("held")
        text = operator.say(*FAST)
        gates.open("held")
        assert connection.read_response().status == 200
    assert "\x1b" not in text
    assert re.search(r"^worker +pid state", text, re.MULTILINE)
    assert re.search(r"^ +1 +\d+ +[\d.]+ s GET /gate$", text, re.MULTILINE), text
    assert operator.say(*FAST, "--count", "2").count("requests/s") == 2


def test_for_programs_each_look_is_a_line_of_json(operate: Operate) -> None:
    operator = operate("plain:application")
    looks = [json.loads(line) for line in operator.say(*FAST, "--json", "--count", "2").splitlines()]
    assert [look["reading"]["pid"] for look in looks] == [operator.server.pid] * 2
    assert all(0 < look["sample"]["seconds"] < 60 for look in looks)
    assert looks[0]["sample"]["threads"] == looks[0]["reading"]["totals"]["threads"]


def test_without_a_server_it_says_so() -> None:
    with Terminal("top", "--control-socket", "/nonexistent/control.sock") as terminal:
        terminal.wait_for("there is no control socket /nonexistent/control.sock")
        assert terminal.wait_for_end() == 1
        assert terminal.is_as_before()
