"""As PID 1 of a container: orphans are buried, what they ended with means nothing, signals are honoured."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.hosts.waiting import wait_until
from tests.server import Server
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator

ORPHANS = """
import os, subprocess

# Processes whose parent is gone: they are the children of PID 1, and end with every code there is.
LEAVE = 'i=0; while [ $i -lt $0 ]; do (sleep 3; exit $((i % 256))) & i=$((i + 1)); done'

def app(environ, start_response):
    subprocess.run(["sh", "-c", LEAVE, environ["QUERY_STRING"]], check=True)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getppid()).encode()]
"""


def children(pid: int) -> list[tuple[int, str]]:
    """Number and state of each child."""
    found: list[tuple[int, str]] = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                state, parent = Path(f"/proc/{name}/stat").read_text().rpartition(") ")[2].split()[:2]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(parent) == pid:
                found.append((int(name), state))
    return found


class Container:
    """A PID namespace with nothing but the server in it."""

    def __init__(self, directory: Path) -> None:
        (directory / "orphans.py").write_text(ORPHANS)
        wrapper = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child"]
        arguments = ["--bind", "127.0.0.1:0", "--workers", "2", "--control-socket", "off"]
        self.server = Server("orphans:app", *arguments, cwd=directory, wrapper=wrapper)
        self.server.wait_ready()
        ((self.pid, _),) = children(self.server.pid)
        # PID 1 buries orphans and passes signals on; the server is its child.
        ((self.supervisor, _),) = children(self.pid)

    def ask(self, query: int) -> bytes:
        """Has the application leave this many orphans behind; the parent of its worker."""
        return exchange(self.server.address, http_request(target=f"/?{query}"), timeout=30.0).body


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    made = Container(tmp_path)
    yield made
    made.server.close()


def test_orphans_are_buried_and_their_codes_mean_nothing(container: Container) -> None:
    workers = sorted(pid for pid, _ in children(container.supervisor))
    assert len(workers) == 2
    for _ in range(4):
        assert container.ask(250) == b"2", "the server is the child of PID 1"
    assert len(children(container.pid)) + len(children(container.supervisor)) > 100, "they are there"
    wait_until(
        lambda: (
            sorted(pid for pid, _ in children(container.supervisor)) == workers
            and [pid for pid, _ in children(container.pid)] == [container.supervisor]
        ),
        "1,000 orphans are buried",
    )
    assert not container.server.log.find("exited with code")
    assert container.ask(0) == b"2"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_signals_are_honoured(container: Container, number: signal.Signals) -> None:
    os.kill(container.pid, number)
    assert container.server.wait() == 0
    container.server.log.wait_for("stopped")


def test_a_reload_and_a_crash(container: Container) -> None:
    before = sorted(pid for pid, _ in children(container.supervisor))
    os.kill(container.pid, signal.SIGHUP)
    container.server.log.wait_for("reloaded in")
    wait_until(lambda: not set(before) & {pid for pid, _ in children(container.supervisor)}, "new workers")
    for pid, _ in children(container.supervisor):
        os.kill(pid, signal.SIGKILL)
    assert container.ask(0) == b"2"
