"""A configuration that is read anew while the front serves: no connection is dropped, what runs ends as it began."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Callable

import pytest

from tests.control.operator import Operator
from tests.front.conftest import pid_of, put
from tests.server import Server
from tests.steady import Clients, Pace, Wrong
from tests.upstreams.backend import OK, Backend
from tests.upstreams.test_sites import named
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

BAD = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"


class Operated(Operator):
    """A front with a configuration file."""

    def write(self, text: str) -> None:
        """What the file says from now on."""
        (self.path.parent / "tapster.toml").write_text(text)

    def reload(self, text: str) -> None:
        """The same, and the front takes it."""
        self.write(text)
        assert self.say("reload").startswith("reloaded in ")


Start = Callable[..., Operated]


@pytest.fixture
def operated(tmp_path: Path) -> Iterator[Start]:
    """Starts a front, or another server, with this configuration file."""
    started: list[Server] = []

    def start(text: str, *words: str) -> Operated:
        (tmp_path / "tapster.toml").write_text(text)
        path = tmp_path / "control"
        server = Server.start(*(words or ("front",)), "--control-socket", str(path), cwd=tmp_path)
        started.append(server)
        return Operated(server, path)

    yield start
    for server in started:
        server.close()


class Names:
    """Asks which upstream answers."""

    def __init__(self) -> None:
        self.names: set[bytes] = set()

    def request(self, number: int, closing: bool) -> bytes:
        close = "Connection: close\r\n" if closing else ""
        return f"GET /{number} HTTP/1.1\r\nHost: a\r\n{close}\r\n".encode()

    def judge(self, number: int, status: int, head: bytes, body: bytes) -> int:
        del number, head
        if status != 200:
            raise Wrong(f"status {status}")
        self.names.add(body)
        return 0


def test_a_reload_under_load_fails_nothing(operated: Start) -> None:
    with named("one") as one, named("two") as two:
        texts = [f'[front]\nupstream = "{backend.url}"\n' for backend in (two, one)]
        operator = operated(texts[1])
        [process] = pid_of(operator.server, "tapster-w")
        names = Names()
        with Clients(operator.server.address, names, Pace(kept=4, rate=200.0, new_every=0.02)) as clients:
            clients.wait_for(30)
            for text in texts * 3:
                operator.reload(text)
                clients.wait_for(30)
            operator.reload(texts[0] + '[front.sites."b"]\nanswer = 404\n')
            clients.wait_for(30)
        assert clients.tally.failures == []
        assert names.names == {b"one", b"two"}
        assert pid_of(operator.server, "tapster-w") == [process]


def test_connections_stay_and_what_runs_ends_as_it_began(operated: Start) -> None:
    gate, inside = threading.Event(), threading.Event()

    def wait(_head: bytes, _body: bytes, _connection: socket.socket) -> bytes:
        inside.set()
        gate.wait(20)
        return OK

    with Backend(wait) as one, named("two") as two:
        operator = operated(f'[front]\nupstream = "{one.url}"\n')
        with Connection(operator.server.address) as idle, Connection(operator.server.address) as busy:
            idle.send(http_request(target="/"))
            assert inside.wait(20)
            gate.set()
            assert idle.read_response().body == b"ok"
            gate.clear()
            inside.clear()
            busy.send(http_request(target="/"))
            assert inside.wait(20)
            operator.reload(f'[front]\nupstream = "{two.url}"\n')
            idle.send(http_request(target="/"))
            assert idle.read_response().body == b"two"
            gate.set()
            found = busy.read_response()
            assert (found.body, found.closes) == (b"ok", False)
            busy.send(http_request(target="/"))
            assert busy.read_response().body == b"two"
        hosts = operator.status()["front"]["upstreams"]
        assert [host["name"] for host in hosts] == [two.url]


def test_what_is_known_of_upstreams_stays(operated: Start) -> None:
    with named("good") as good, Backend(BAD) as bad, named("new") as new:

        def text(*backends: Backend) -> str:
            urls = ", ".join(f'"{backend.url}"' for backend in backends)
            return f'[front]\nbalance = "round-robin"\nupstream = [{urls}]\n'

        operator = operated(text(good, bad))
        for _ in range(12):
            assert exchange(operator.server.address, http_request()).status == 200

        def states() -> dict[str, str]:
            return {host["name"]: host["state"] for host in operator.status()["front"]["upstreams"]}

        deadline = time.monotonic() + 20
        while states()[bad.url] != "ejected":
            assert time.monotonic() < deadline
        operator.reload(text(good, bad) + '[front.sites."b"]\nanswer = 404\n')
        assert states() == {good.url: "healthy", bad.url: "ejected"}
        operator.reload(text(new, good, bad))
        assert states() == {good.url: "healthy", bad.url: "ejected", new.url: "healthy"}


def test_a_broken_configuration_leaves_the_one_before(operated: Start) -> None:
    with named("one") as one:
        operator = operated(f'[front]\nupstream = "{one.url}"\n')
        for text, why in [
            ("[front\n", "tapster.toml:1: this is not TOML"),
            (
                '[front]\nupstream = "nowhere"\n',
                'tapster.toml:2: upstream: "nowhere" is not the URL of an upstream',
            ),
            ('[front]\nstatic = "/=./absent"\n', "cannot open"),
        ]:
            operator.write(text)
            done = operator.run("reload")
            assert (done.returncode, why in done.stderr) == (1, True), done.stderr
            assert exchange(operator.server.address, http_request()).body == b"one"
        status = operator.status()
        assert (status["state"], status["reloads"]) == ("serving", {"ok": 0, "failed": 3})
        operator.reload('[front.sites.default]\nanswer = "200 well"\n')
        assert exchange(operator.server.address, http_request()).body == b"well\n"


def test_limits_are_taken_and_sockets_are_not(operated: Start) -> None:
    with Backend() as backend:
        operator = operated(f'[front]\nupstream = "{backend.url}"\n')
        post = http_request("POST", "/", body=b"x" * 100)
        assert exchange(operator.server.address, post).status == 200
        mark = operator.server.log.mark()
        operator.reload(f'[front]\nupstream = "{backend.url}"\nmax-body = 10\nworkers = 3\n')
        assert exchange(operator.server.address, post).status == 413
        operator.server.log.wait_for(r"takes another start \(USR2\): workers", mark)


def test_a_front_before_workers_takes_files(operated: Start, tmp_path: Path) -> None:
    put(tmp_path / "one" / "a.txt", b"one")
    put(tmp_path / "two" / "a.txt", b"two")
    (tmp_path / "app.py").write_text(
        "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'app']\n"
    )
    operator = operated('static = "/s/=./one"\n', "app:app")
    address = operator.server.address
    [front] = pid_of(operator.server, "tapster-front")
    workers = pid_of(operator.server, "tapster-w")
    with Connection(address) as kept:
        kept.send(http_request(target="/s/a.txt"))
        assert kept.read_response().body == b"one"
        operator.reload('static = "/s/=./two"\n')
        kept.send(http_request(target="/s/a.txt"))
        assert kept.read_response().body == b"two"
        kept.send(http_request(target="/"))
        assert kept.read_response().body == b"app"
    assert pid_of(operator.server, "tapster-front") == [front]
    assert pid_of(operator.server, "tapster-w") != workers
    operator.write('static = "/s/=./absent"\n')
    done = operator.run("reload")
    assert (done.returncode, "cannot open" in done.stderr) == (1, True), done.stderr
    assert exchange(address, http_request(target="/s/a.txt")).body == b"two"


def test_bodies_stream_from_then_on(operated: Start) -> None:
    """`stream-body` is a matter of each request: it needs no other start."""
    with Server.start("streamed:application", "--stream-body", "--bind", "127.0.0.1:0") as upstream:
        text = f'[front]\nupstream = "http://{upstream.address}"\n'
        operator = operated(text)
        operator.reload(f"{text}stream-body = true\n")
        with Connection(operator.server.address, timeout=30) as client:
            client.send(http_request("POST", "/lines", {"Content-Length": "8"}))
            client.send(b"one\n")
            client.read_head()
            assert client.read_chunk() == b"one\n"
            client.send(b"two\n")
            assert (client.read_chunk(), client.read_chunk()) == (b"two\n", b"")
