"""What the balancer is for, as figures: four real upstreams, of which one is slow, one fails, and one is restarted all the
time, at half of the load that one healthy upstream bears. nginx and HAProxy meet the same for comparison; their files are in
`trouble/`.
"""

from __future__ import annotations

import socket
import statistics
import subprocess
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Callable

import pytest

from tests.address import Address
from tests.log import Log
from tests.server import Server, wait_until_listening
from tests.steady import Clients, Pace, Wrong

if TYPE_CHECKING:
    from collections.abc import Generator

#: 4 threads that sleep for 10 ms bear 400 requests a second at most.
RATE = 200.0
SECONDS = 20.0

MOODS = {"quick": "", "slow": "slow", "failing": "failing", "restarting": ""}
FILES = Path(__file__).with_name("trouble")

#: Starts what stands before the sockets in a directory, and gives its address.
Front = Callable[[Path, ExitStack], Address]


class Timed:
    """Asks for `/`; remembers how long each answer took, and who gave it."""

    def __init__(self) -> None:
        self.answers: list[tuple[float, int]] = []
        self._began: dict[int, float] = {}

    def request(self, number: int, closing: bool) -> bytes:
        """A GET."""
        self._began[number] = time.monotonic()
        return b"GET / HTTP/1.1\r\nHost: a\r\n" + (b"Connection: close\r\n" if closing else b"") + b"\r\n"

    def judge(self, number: int, status: int, head: bytes, body: bytes) -> int:
        """The server that answered."""
        if status != 200:
            raise Wrong(f"{status} {body[:80]!r}")
        self.answers.append((time.monotonic() - self._began.pop(number), int(body)))
        return 0

    def p99(self, but: int = 0) -> float:
        """Of the answers of the others."""
        return statistics.quantiles([took for took, pid in self.answers if pid != but], n=100)[98]

    def share(self, pid: int) -> float:
        """Of the requests that this one answered."""
        return sum(who == pid for _, who in self.answers) / len(self.answers)


def tapster(balance: str) -> Front:
    """Ours."""

    def start(directory: Path, stack: ExitStack) -> Address:
        urls = [word for name in MOODS for word in ("--upstream", f"unix:{directory}/{name}.sock")]
        return stack.enter_context(Server.start("front", *urls, "--balance", balance)).address

    return start


def other(file: str, *command: str) -> Front:
    """Somebody else's; the command ends with the file."""

    def start(directory: Path, stack: ExitStack) -> Address:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            host, port = listener.getsockname()
        text = (FILES / file).read_text().replace("127.0.0.1:8080", f"{host}:{port}")
        for name in MOODS:
            text = text.replace(f"{name}.sock", f"{directory}/{name}.sock")
        (directory / file).write_text(text)
        words = [word.format(directory=directory) for word in command]
        process = subprocess.Popen(
            [*words, str(directory / file)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert process.stdout is not None
        log = Log(process.stdout)
        stack.callback(log.join)
        stack.callback(process.wait)
        stack.callback(process.terminate)
        address = Address(host=host, port=port)
        wait_until_listening(address)
        return address

    return start


FRONTS = {
    "least-request": tapster("least-request"),
    "latency": tapster("latency"),
    "nginx": other("nginx.conf", "nginx", "-e", "stderr", "-p", "{directory}", "-c"),
    "haproxy": other("haproxy.cfg", "haproxy", "-db", "-f"),
}


def upstream(directory: Path, name: str, mood: str) -> Server:
    """One of the four."""
    place = f"unix:{directory}/{name}.sock"
    return Server.start("moods:application", "--bind", place, "--threads", "4", env={"MOOD": mood})


@contextmanager
def restarted(directory: Path, servers: dict[str, Server]) -> Generator[None]:
    """One of them, again and again."""
    stop = threading.Event()

    def restart() -> None:
        while not stop.wait(3.0):
            servers["restarting"].close()
            stop.wait(1.0)
            servers["restarting"] = upstream(directory, "restarting", "")

    thread = threading.Thread(target=restart)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def close(servers: dict[str, Server]) -> None:
    """Ends those that there are then."""
    for server in servers.values():
        server.close()


def play(address: Address) -> tuple[Timed, int]:
    """The load, and how many failed."""
    timed = Timed()
    with Clients(address, timed, Pace(kept=16, rate=RATE)) as clients:
        time.sleep(SECONDS)
    return timed, len(clients.tally.failures)


@pytest.mark.long
@pytest.mark.parametrize("name", FRONTS)
def test_trouble_of_some_is_hardly_noticed(
    name: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    start, p99 = FRONTS[name], dict[str, float]()
    slow, share, failures = 0, 0.0, 0
    for kind, moods in (("healthy", dict.fromkeys(MOODS, "")), ("troubled", MOODS)):
        with ExitStack() as stack:
            servers = {one: upstream(tmp_path, one, mood) for one, mood in moods.items()}
            stack.callback(close, servers)
            address = start(tmp_path, stack)
            if kind == "troubled":
                stack.enter_context(restarted(tmp_path, servers))
                slow = servers["slow"].pid
            timed, failures = play(address)
            p99[kind], share = timed.p99(but=slow), timed.share(slow)
    told = (
        f"{name}: p99 {p99['healthy'] * 1000:.1f} ms healthy, {p99['troubled'] * 1000:.1f} ms in trouble, "
        f"the slow one's share {share:.1%}, {failures} failed"
    )
    record_property("figures", told)
    if name in ("nginx", "haproxy"):
        return
    assert failures == 0, told
    assert share <= 0.05, told
    assert p99["troubled"] <= 1.5 * p99["healthy"], told
