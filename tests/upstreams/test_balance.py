"""Which upstream gets a request."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Callable

import pytest

from tests.hosts.waiting import wait_until
from tests.server import Server
from tests.upstreams.backend import OK, Backend, Script
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    import socket

    from tests.wire import Response

Front = Callable[..., Server]


def ask(server: Server, fields: dict[str, str] | None = None) -> Response:
    """One request on a connection of its own."""
    return exchange(server.address, http_request("GET", "/", fields))


def test_round_robin_goes_by_weight(front: Front) -> None:
    with Backend() as one, Backend() as other:
        server = front([f"{one.url} weight=3", other.url], "--balance", "round-robin")
        for _ in range(40):
            assert ask(server).status == 200
        assert (len(one.heads), len(other.heads)) == (30, 10)


def test_the_one_with_less_to_do_gets_more(front: Front) -> None:
    gate = threading.Event()

    def wait(_head: bytes, _body: bytes, _connection: socket.socket) -> bytes:
        gate.wait(20)
        return OK

    with Backend(wait) as slow, Backend() as quick:
        server = front([slow.url, quick.url])
        with Connection(server.address) as one, Connection(server.address) as other:
            # One of the two goes to the slow one, since that has had less by then.
            for number, connection in enumerate((one, other), 1):
                connection.send(http_request("GET", "/"))
                wait_until(
                    lambda number=number: len(slow.heads) + len(quick.heads) == number, "it is passed on"
                )
            for _ in range(60):
                assert ask(server).status == 200
            gate.set()
            assert one.read_response().status == other.read_response().status == 200
        assert (len(slow.heads), len(quick.heads)) == (1, 61)


def test_the_same_key_gets_the_same_upstream(front: Front) -> None:
    with Backend() as one, Backend() as two, Backend() as three:
        backends = [one, two, three]
        server = front(
            [backend.url for backend in backends], "--balance", "hash", "--hash-key", "header:X-Tenant"
        )
        placed: dict[str, int] = {}
        for tenant in [f"tenant-{number}" for number in range(30)] * 3:
            before = [len(backend.heads) for backend in backends]
            assert ask(server, {"X-Tenant": tenant}).status == 200
            after = [len(backend.heads) for backend in backends]
            index = next(index for index in range(3) if after[index] > before[index])
            assert placed.setdefault(tenant, index) == index
        assert set(placed.values()) == {0, 1, 2}
        # Another front places them the same.
        again = front(
            [backend.url for backend in backends], "--balance", "hash", "--hash-key", "cookie:tenant"
        )
        for tenant, index in list(placed.items())[:5]:
            before = len(backends[index].heads)
            ask(again, {"Cookie": f"a=b; tenant={tenant}"})
            assert len(backends[index].heads) == before + 1


def test_a_client_comes_back_to_its_upstream(front: Front) -> None:
    with Backend() as one, Backend() as other:
        server = front([one.url, other.url], "--balance", "sticky", "--sticky-cookie", "route")
        first = ask(server)
        cookie = str(first.get("set-cookie")).split(";")[0]
        assert str(first.get("set-cookie")).endswith("; Path=/; HttpOnly; SameSite=Lax")
        own, others = (one, other) if one.heads else (other, one)
        for _ in range(10):
            response = ask(server, {"Cookie": f"x=y; {cookie}"})
            assert response.get("set-cookie") is None
        assert (len(own.heads), len(others.heads)) == (11, 0)
        own.close()
        moved = ask(server, {"Cookie": cookie})
        assert (moved.status, len(others.heads)) == (200, 1)
        assert str(moved.get("set-cookie")).split(";")[0] != cookie
        assert ask(server, {"Cookie": "route=nonsense"}).get("set-cookie") is not None


def test_a_secret_hides_where_upstreams_are(front: Front) -> None:
    with Backend() as one, Backend() as other:
        urls, secret = [one.url, other.url], ("--sticky-secret", "correct horse battery staple")
        plain = str(ask(front(urls[:1], "--balance", "sticky")).get("set-cookie"))
        first = str(ask(front(urls[:1], "--balance", "sticky", *secret)).get("set-cookie"))
        assert plain != first
        # Another front with the same secret knows the cookie.
        before = len(one.heads)
        again = front(urls, "--balance", "sticky", *secret)
        for _ in range(5):
            assert ask(again, {"Cookie": first.split(";")[0]}).get("set-cookie") is None
        assert (len(one.heads), len(other.heads)) == (before + 5, 0)


@pytest.mark.parametrize("balance", ["least-request", "latency"])
def test_one_that_takes_much_longer_gets_little(front: Front, balance: str) -> None:
    def slowly(_head: bytes, _body: bytes, _connection: socket.socket) -> bytes:
        time.sleep(0.2)
        return OK

    with Backend(slowly) as slow, Backend() as quick:
        server = front([slow.url, quick.url], "--balance", balance)
        for _ in range(100):
            assert ask(server).status == 200
        # It takes some answers to know what is usual.
        assert len(slow.heads) <= 15


def test_health_checks_decide(front: Front) -> None:
    moods = {"one": b"200 OK", "other": b"503 Service Unavailable"}

    def checked(name: str) -> Script:
        def script(head: bytes, _body: bytes, _connection: socket.socket) -> bytes:
            if head.startswith(b"GET /-/ready "):
                return b"HTTP/1.1 " + moods[name] + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            return OK.replace(b"\r\n\r\n", b"\r\nX-Name: " + name.encode() + b"\r\n\r\n")

        return script

    with Backend(checked("one")) as one, Backend(checked("other")) as other:
        server = front([one.url, other.url], "--health-path", "/-/ready", "--health-interval", "100ms")
        for _ in range(10):
            assert ask(server).get("x-name") == "one"
        moods["other"] = b"204 No Content"
        server.log.wait_for(rf"upstream {other.url} is back")
        moods["one"] = b"500 Internal Server Error"
        server.log.wait_for(rf"upstream {one.url} gets no requests for now: it failed its health checks")
        for _ in range(10):
            assert ask(server).get("x-name") == "other"


def test_a_name_is_looked_up(front: Front) -> None:
    with Backend() as backend:
        server = front([f"http://localhost:{backend.address.port}"])
        for _ in range(5):
            assert ask(server).status == 200
        server.log.wait_for(r"upstream localhost is .*127\.0\.0\.1")


def test_a_name_that_nobody_knows_is_said_and_the_others_serve(front: Front) -> None:
    with Backend() as backend:
        server = front([backend.url, "http://no.such.host.invalid:80"])
        server.log.wait_for(r"upstream no\.such\.host\.invalid: the name is not found")
        for _ in range(5):
            assert ask(server).status == 200


@pytest.mark.parametrize("balance", ["least-request", "round-robin"])
def test_every_upstream_gets_its_share(front: Front, balance: str) -> None:
    with Backend() as one, Backend() as two, Backend() as three:
        server = front([one.url, two.url, three.url], "--balance", balance)
        with Connection(server.address) as connection:
            for _ in range(90):
                connection.send(http_request("GET", "/"))
                connection.read_response()
        assert all(20 <= len(backend.heads) <= 40 for backend in (one, two, three))
