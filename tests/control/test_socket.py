"""The control socket: who is listened to, and what no client can do to the server."""

from __future__ import annotations

import os
import signal
import socket
import stat
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.control.operator import Operator
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Serve
    from tests.control.conftest import Operate

APP = "plain:application"
NOBODY = 65534


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that every user may look into."""
    with tempfile.TemporaryDirectory(prefix="tapster-control-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def as_user(user: int, path: Path) -> bytes:
    """What another user is told who asks for the version: nothing is b"", no connection b"refused"."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
        answer = b"refused"
        try:
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(10.0)
            client.connect(str(path))
            client.sendall(b'{"command":"version"}\n')
            answer = client.recv(1000)
        except (PermissionError, FileNotFoundError):
            pass
        except OSError:
            answer = b""
        finally:
            os.write(writer, answer)
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer


def test_only_its_user_may_open_it(serve: Serve, public: Path) -> None:
    path = public / "control.sock"
    serve(APP, "--control-socket", str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert as_user(NOBODY, path) == b"refused"
    assert b'"ok":true' in as_user(0, path)


def test_another_user_is_not_listened_to_whatever_the_mode(serve: Serve, public: Path) -> None:
    path = public / "control.sock"
    server = serve(APP, "--control-socket", str(path))
    path.chmod(0o777)
    assert as_user(NOBODY, path) == b""
    server.log.wait_for(f"refused user {NOBODY} at the control socket")


def test_silent_and_half_heard_clients_keep_nobody_out(operate: Operate) -> None:
    operator = operate(APP)
    with ExitStack() as stack:
        for number in range(100):
            line = stack.enter_context(operator.connect())
            if number % 2:
                line.send(b'{"command":')
        assert operator.status()["state"] == "serving"
        operator.server.reload()
        assert exchange(operator.server.address, http_request(target="/hello")).status == 200


def test_a_client_that_does_not_read_stops_nothing(operate: Operate) -> None:
    operator = operate(APP)
    with operator.connect(timeout=0.3) as deaf:
        with pytest.raises(TimeoutError):
            deaf.send(b'{"command":"status"}\n' * 100_000)
        for _ in range(5):
            assert operator.status()["state"] == "serving"
        operator.server.reload()


def test_requests_are_answered_in_order_on_one_connection(operate: Operate) -> None:
    operator = operate(APP)
    with operator.connect() as line:
        line.send(b'{"command":"version"}\n{"command":"reload"}\n{"command":"health"}\n')
        assert line.answer()["pid"] == operator.server.pid
        assert line.answer()["seconds"] >= 0.0
        assert line.answer()["ready"] is True


def test_a_client_that_has_said_everything_is_answered(operate: Operate) -> None:
    with operate(APP).connect() as line:
        line.send(b'{"command":"version"}\n{"command":"reload"}\n')
        line.socket.shutdown(socket.SHUT_WR)
        assert line.answer()["ok"]
        assert line.answer()["ok"]
        assert line.is_closed()


@pytest.mark.parametrize(
    "junk",
    [b"status\n", b"{}\n", b'{"command":"explode"}\n', b'{"command":"scale","workers":-1}\n', b"\xff\xfe\n"],
)
def test_junk_is_refused_and_the_next_request_heard(operate: Operate, junk: bytes) -> None:
    with operate(APP).connect() as line:
        line.send(junk)
        answer = line.answer()
        assert answer["ok"] is False
        assert "no request" in answer["error"]
        assert line.ask(command="version")["ok"]


def test_a_request_without_end_is_refused(operate: Operate) -> None:
    operator = operate(APP)
    with operator.connect() as line:
        line.send(b"x" * 5000)
        assert line.answer()["error"] == "a request has at most 4096 bytes"
        assert line.is_closed()
    assert operator.status()["state"] == "serving"


def test_workers_and_their_children_do_not_hold_it(operate: Operate) -> None:
    operator = operate("steps:application", "--workers", "2")
    with operator.connect() as line:
        assert line.ask(command="reload")["ok"]
        held = sockets_at(operator.path)
        assert held & sockets_of(operator.server.pid)
        for worker in operator.server.worker_pids():
            assert not held & sockets_of(worker)
        target = http_request(target="/child-descriptors")
        assert exchange(operator.server.address, target).status == 200


def sockets_at(path: Path) -> set[str]:
    """The numbers of the listening and connected sockets of this path."""
    rows = (line.split() for line in Path("/proc/net/unix").read_text().splitlines())
    return {row[6] for row in rows if row[-1] == str(path)}


def sockets_of(pid: int) -> set[str]:
    """The numbers of a process's sockets."""
    found: set[str] = set()
    # Descriptors are closed meanwhile, and a worker that was replaced ends.
    with suppress(FileNotFoundError):
        for link in os.listdir(f"/proc/{pid}/fd"):
            with suppress(FileNotFoundError):
                target = os.readlink(f"/proc/{pid}/fd/{link}")
                if target.startswith("socket:["):
                    found.add(target[8:-1])
    return found


def test_a_path_in_use_is_taken_over_when_its_server_ends(operate: Operate, serve: Serve) -> None:
    first = operate(APP)
    second = serve(APP, "--control-socket", str(first.path))
    second.log.wait_for(f"{first.path} belongs to a server that runs")
    assert first.status()["pid"] == first.server.pid
    assert first.server.stop() == 0
    deadline = time.monotonic() + 20.0
    while not first.path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert Operator(second, first.path).status()["pid"] == second.pid


def test_a_place_that_is_not_there_is_said_and_harms_nobody(serve: Serve, tmp_path: Path) -> None:
    server = serve(APP, "--control-socket", str(tmp_path / "absent" / "control.sock"))
    server.log.wait_for(r"\[info\] no control socket \(--control-socket\): .*No such file")
    assert exchange(server.address, http_request(target="/hello")).status == 200
    server.send(signal.SIGHUP)
    server.log.wait_for("reloaded in")


def test_off_leaves_it_out(serve: Serve) -> None:
    server = serve(APP, "--control-socket", "off", "--log-level", "debug")
    assert not server.log.find("no control socket")
    assert not [
        row for row in Path("/proc/net/unix").read_text().splitlines() if f"/{server.pid}.sock" in row
    ]
