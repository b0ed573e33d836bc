"""--drain-delay: told to stop, the server says so at once and accepts until balancers have noticed. Ctrl-C is for people."""

from __future__ import annotations

import os
import pty
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.address import addresses_in
from tests.process.conftest import Gates
from tests.server import Server
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Serve

APP = "steps:application"


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    """Gates that hold a request inside the application."""
    return Gates(tmp_path)


def ready(server: Server) -> int:
    """What the probe says."""
    address = addresses_in(server.log.wait_for(r"health checks at .*").group())[0]
    return exchange(address, http_request(target="/-/ready")).status


def test_ready_turns_false_at_once_and_clients_are_served_for_the_delay(serve: Serve) -> None:
    server = serve(APP, "--drain-delay", "4s", "--admin-bind", "127.0.0.1:0", "--workers", "2")
    assert ready(server) == 200
    mark = server.log.mark()
    began = time.monotonic()
    server.send(signal.SIGTERM)
    server.log.wait_for("accepting for 4.0 s more", mark)
    assert ready(server) == 503
    served = 0
    with Connection(server.address) as kept:
        while time.monotonic() - began < 1.5:
            assert exchange(server.address, http_request(target="/pid")).status == 200
            kept.send(http_request(target="/pid"))
            assert kept.read_response().status == 200
            served += 1
            time.sleep(0.05)
        assert served
        assert server.wait() == 0
        assert 4.0 <= time.monotonic() - began < 12.0
        kept.assert_closed()
    with pytest.raises(OSError, match="refused"):
        server.address.connect()


def test_a_second_signal_ends_the_delay(serve: Serve) -> None:
    server = serve(APP, "--drain-delay", "20s")
    server.send(signal.SIGTERM)
    server.log.wait_for("accepting for 20 s more")
    began = time.monotonic()
    assert server.stop(signal.SIGTERM) == 0
    assert time.monotonic() - began < 15.0


def test_the_delay_is_part_of_the_graceful_timeout(serve: Serve, gates: Gates) -> None:
    server = serve(APP, "--drain-delay", "3s", "--graceful-timeout", "3500ms", env=gates.env)
    with Connection(server.address) as connection:
        connection.send(http_request(target="/gate?name=never"))
        gates.wait_inside("never")
        began = time.monotonic()
        server.stop()
        assert 3.4 < time.monotonic() - began < 6.4


TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(int(sys.argv[1]), termios.TIOCSCTTY, 0)
os.execvp(sys.argv[2], sys.argv[2:])
"""


class Terminal:
    """A pseudo-terminal with a server in its foreground."""

    def __init__(self, *arguments: str, env: dict[str, str]) -> None:
        self.own, self.theirs = pty.openpty()
        # Becomes a session's leader with this terminal, and the server its foreground process.
        wrapper = [sys.executable, "-c", TAKE_TERMINAL, str(self.theirs)]
        self.server = Server(*arguments, env=env, pass_fds=[self.theirs], wrapper=wrapper)

    def press_control_c(self) -> None:
        os.write(self.own, b"\x03")

    def close(self) -> None:
        self.server.close()
        for end in (self.own, self.theirs):
            with suppress(OSError):
                os.close(end)


@pytest.fixture
def terminal(gates: Gates) -> Iterator[Terminal]:
    made = Terminal(APP, "--bind", "127.0.0.1:0", "--drain-delay", "10s", env=gates.env)
    made.server.wait_ready()
    yield made
    made.close()


def test_control_c_waits_three_seconds_and_says_for_what(terminal: Terminal, gates: Gates) -> None:
    server = terminal.server
    with Connection(server.address) as connection:
        connection.send(http_request(target="/gate?name=never"))
        gates.wait_inside("never")
        began = time.monotonic()
        terminal.press_control_c()
        server.log.wait_for("finishing requests for up to 3.0 s; again to stop at once; 1 running now")
        server.wait()
        assert 2.9 < time.monotonic() - began < 9.9


def test_control_c_again_does_not_wait(terminal: Terminal, gates: Gates) -> None:
    server = terminal.server
    with Connection(server.address) as connection:
        connection.send(http_request(target="/gate?name=never"))
        gates.wait_inside("never")
        terminal.press_control_c()
        server.log.wait_for("1 running now")
        terminal.press_control_c()
        server.log.wait_for("stopping at once")
        server.wait()
