"""Names of upstreams: looked up when what was answered holds no more, and kept while nobody answers."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Callable

import dns.rcode
import pytest

from tests.control.operator import Operator
from tests.server import Server, run
from tests.upstreams.backend import Backend
from tests.upstreams.name_server import NameServer, Zone
from tests.upstreams.test_renewal import operated
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

    from tests.upstreams.test_renewal import Start

__all__ = ["operated"]

Front = Callable[..., Server]

NAME = "app.test"


def named(name: str) -> bytes:
    """An answer that says who gave it."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(name), name.encode())


@pytest.fixture
def pair() -> Iterator[tuple[Backend, Backend]]:
    """Two upstreams with the same port, on 127.0.0.2 and 127.0.0.3."""
    two = Backend(named("two"), host="127.0.0.2")
    with two, Backend(named("three"), two.address.port, "127.0.0.3") as three:
        yield two, three


def body(server: Server) -> bytes:
    """What one request is answered."""
    answer = exchange(server.address, http_request("GET", "/"))
    assert answer.status == 200, answer
    return answer.body


def test_requests_follow_the_record(front: Front, pair: tuple[Backend, Backend]) -> None:
    """Within its time to live, and what runs at the address before ends there."""
    began, release = threading.Event(), threading.Event()

    def slow(head: bytes, _body: bytes, _connection: socket.socket) -> bytes:
        if head.startswith(b"GET /slow "):
            began.set()
            assert release.wait(30)
        return named("two")

    two, three = pair
    two.script = slow
    with NameServer({NAME: Zone(["127.0.0.2"])}) as names:
        server = front([f"http://{NAME}:{two.address.port}"], *names.option)
        assert body(server) == b"two"
        with Connection(server.address) as running:
            running.send(http_request("GET", "/slow"))
            assert began.wait(20)
            names.names[NAME] = Zone(["127.0.0.3"])
            server.log.wait_for(rf"upstream {NAME} is 127\.0\.0\.3$")
            for _ in range(5):
                assert body(server) == b"three"
            release.set()
            assert running.read_response().body == b"two"
        names.names[NAME] = Zone(["127.0.0.2", "127.0.0.3"])
        server.log.wait_for(rf"upstream {NAME} is 127\.0\.0\.2, 127\.0\.0\.3$")
    assert three.heads


def test_an_answer_holds_for_its_time_to_live(front: Front, pair: tuple[Backend, Backend]) -> None:
    """As long as the shortest record on the way to it, and no longer than that."""
    port = pair[0].address.port
    zones = {
        NAME: Zone(["127.0.0.2"], ttl=60),
        "soon.test": Zone([], ttl=1, alias=NAME),
        "never.test": Zone(["127.0.0.2"], ttl=0),
    }
    with NameServer(zones) as names:
        server = front([f"http://{name}:{port}" for name in zones], *names.option)
        assert body(server) == b"two"
        names.wait_asked("soon.test", 2)
        names.wait_asked("never.test", 1)
        assert names.asked.count[NAME] == 1
        assert names.asked.count["never.test"] < 20, "at most once a second"


def test_what_was_known_holds_while_nobody_answers(operated: Start, pair: tuple[Backend, Backend]) -> None:
    port = pair[0].address.port
    names = NameServer({NAME: Zone(["127.0.0.2"])})
    with names:
        text = f"""
            [front]
            bind = ["127.0.0.1:0"]
            upstream = ["http://{NAME}:{port}"]
            resolver = ["{names.host}:{names.port}"]
        """
        operator = operated(text)
        assert body(operator.server) == b"two"
    log = operator.server.log
    log.wait_for(rf"upstream {NAME}: the name is not found: .*; the addresses known so far hold$")
    assert body(operator.server) == b"two"
    assert operator.status()["front"]["names_not_found"] >= 1
    assert "names not found" in operator.say("status")
    # A configuration with other rules knows them too.
    mark = log.mark()
    operator.reload(text + 'hold = "1s"\n')
    for _ in range(3):
        assert body(operator.server) == b"two"
    log.wait_for(r"the name is not found: .*; the addresses known so far hold$", since=mark)
    mark = log.mark()
    with NameServer({NAME: Zone(["127.0.0.3"])}, port=names.port):
        log.wait_for(rf"upstream {NAME}: the name is found again", since=mark)
        log.wait_for(rf"upstream {NAME} is 127\.0\.0\.3$", since=mark)
        assert body(operator.server) == b"three"


def test_a_name_that_comes_later(front: Front, pair: tuple[Backend, Backend], tmp_path: Path) -> None:
    """The start does not wait for it, requests do, and the log has one line of it."""
    control = str(tmp_path / "control")
    with NameServer({}) as names:
        server = front([f"http://{NAME}:{pair[0].address.port}"], *names.option, "--control-socket", control)
        with Connection(server.address) as waiting:
            waiting.send(http_request("GET", "/"))
            names.wait_asked(NAME, 2)
            names.names[NAME] = Zone(["127.0.0.2"])
            assert waiting.read_response().body == b"two"
        assert Operator(server, tmp_path / "control").status()["front"]["names_not_found"] >= 2
        assert len(server.log.find("the name is not found: no name server knows it")) == 1


def test_what_is_too_long_for_a_datagram(front: Front, pair: tuple[Backend, Backend]) -> None:
    many = [f"127.9.{place}.1" for place in range(60)]
    with NameServer({NAME: Zone([*many, "127.0.0.2"])}) as names:
        server = front([f"http://{NAME}:{pair[0].address.port}"], *names.option)
        server.log.wait_for(rf"upstream {NAME} is 127\.0\.0\.2, 127\.9\.0\.1, ")
        assert names.asked.by_tcp == {NAME}


def test_the_next_server_is_asked(front: Front, pair: tuple[Backend, Backend]) -> None:
    """Where one is not there, and another one cannot say."""
    dead = NameServer({})
    dead.close()
    with NameServer({NAME: Zone([], code=dns.rcode.SERVFAIL)}) as sick:
        with NameServer({NAME: Zone(["127.0.0.2"])}) as well:
            url = f"http://{NAME}:{pair[0].address.port}"
            assert body(front([url], *dead.option, *sick.option, *well.option)) == b"two"
        server = front([url], *sick.option)
        server.log.wait_for(rf"upstream {NAME}: the name is not found: .* says ServerFailure")


def test_the_files_of_the_system(pair: tuple[Backend, Backend], tmp_path: Path) -> None:
    """/etc/hosts comes first; /etc/resolv.conf says who is asked, and in which domains."""
    port = pair[0].address.port
    try:
        names = NameServer({"app.shop.test": Zone(["127.0.0.3"])}, host="127.77.0.53", port=53)
    except PermissionError:
        pytest.skip("not on this system: port 53 takes root")
    (tmp_path / "resolv.conf").write_text(
        "search no.test shop.test\nnameserver 127.77.0.53\noptions ndots:2\n"
    )
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n127.0.0.2 written # down\n")
    script = (
        'mount --bind "$0/resolv.conf" /etc/resolv.conf && mount --bind "$0/hosts" /etc/hosts && exec "$@"'
    )
    private = ("unshare", "--map-root-user", "--mount", "--", "sh", "-c", script, str(tmp_path))
    words = (
        "--upstream",
        f"http://app:{port}",
        "--upstream",
        f"http://WRITTEN:{port}",
        "--balance",
        "round-robin",
    )
    with names, Server.start("front", *words, wrapper=private) as server:
        server.log.wait_for(r"upstream app is 127\.0\.0\.3$")
        server.log.wait_for(r"upstream WRITTEN is 127\.0\.0\.2$")
        assert {body(server) for _ in range(4)} == {b"two", b"three"}
        assert list(names.asked.count) == ["app.no.test", "app.shop.test"]


@pytest.mark.parametrize("wrong", ["names.test", "10.0.0.1:", "10.0.0.256"])
def test_a_resolver_that_is_no_address(wrong: str) -> None:
    done = run("front", "--upstream", f"http://{NAME}", "--resolver", wrong)
    assert done.returncode == 2
    assert "resolver" in done.stderr
    assert "the address of a name server" in done.stderr
