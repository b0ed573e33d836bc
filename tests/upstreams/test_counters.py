"""What a front counts, logs and says of itself: `tapster status`, health checks, the access log."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING, Any, Callable

import pytest

from tests.control.operator import Operator
from tests.control.test_admin import ADMIN, admin_of, probe, wait_for
from tests.front.conftest import put
from tests.server import Server
from tests.upstreams.backend import OK, Backend
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    import socket
    from pathlib import Path

Front = Callable[..., Server]
BAD = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def operated(front: Front, tmp_path: Path) -> Callable[..., Operator]:
    """A front with a control socket of its own."""

    def start(upstreams: list[str], *options: str) -> Operator:
        path = tmp_path / "control"
        return Operator(front(upstreams, "--control-socket", str(path), *options), path)

    return start


def wait_until(operator: Operator, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The part of the status about the front, once this holds."""
    deadline = time.monotonic() + 20
    while True:
        found = operator.status()["front"]
        if holds(found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


def test_answers_refusals_and_hosts_are_counted(operated: Callable[..., Operator], tmp_path: Path) -> None:
    put(tmp_path / "public" / "a.txt", b"12345")
    with Backend() as backend:
        operator = operated([backend.url], "--static", f"/s/={tmp_path}/public")
        address = operator.server.address
        assert exchange(address, http_request(target="/")).body == b"ok"
        assert exchange(address, http_request(target="/s/a.txt")).body == b"12345"
        assert exchange(address, b"GET / HTTP/1.1\r\n\r\n").status == 400
        with Connection(address) as idle:
            idle.send(http_request(target="/"))
            assert idle.read_response().status == 200
            # What an answer changes is counted a moment after it has left.
            found = wait_until(operator, lambda front: front["connections"] == 1 and front["requests"] >= 4)
            assert (found["requests"], found["statuses"]["2xx"], found["statuses"]["4xx"]) == (4, 3, 1)
            assert (found["refused"], found["ready"], found["waiting"]) == ({"400": 1}, True, 0)
            assert found["bytes"] >= 9
            [host] = found["upstreams"]
            assert host == {
                "name": backend.url,
                "state": "healthy",
                "active": 0,
                "requests": 2,
                "failures": 0,
            }
        text = operator.say("status")
        assert re.search(r"front +(0 clients|1 client), 4 answers, 1 of them refusals \(1 with 400\)", text)
        assert re.search(rf"{backend.url} +- +healthy +0 +2 +0", text)


def test_a_host_that_fails_is_seen_to(operated: Callable[..., Operator]) -> None:
    with Backend() as good, Backend(BAD) as bad:
        operator = operated([good.url, bad.url], "--balance", "round-robin")
        for _ in range(12):
            exchange(operator.server.address, http_request())
        found = wait_until(operator, lambda front: front["upstreams"][1]["state"] == "ejected")
        assert found["upstreams"][1]["failures"] == 5
        assert found["upstreams"][0]["state"] == "healthy"
        assert found["retries"] >= 1


def test_what_waits_is_seen(operated: Callable[..., Operator]) -> None:
    gate = threading.Event()

    def wait(_head: bytes, _body: bytes, _connection: socket.socket) -> bytes:
        gate.wait(20)
        return OK

    with Backend(wait) as backend:
        operator = operated([f"{backend.url} slots=1"])
        with Connection(operator.server.address) as one, Connection(operator.server.address) as other:
            one.send(http_request())
            wait_until(operator, lambda front: front["upstreams"][0]["active"] == 1)
            other.send(http_request())
            wait_until(operator, lambda front: front["waiting"] == 1)
            gate.set()
            assert one.read_response().status == other.read_response().status == 200
        wait_until(operator, lambda front: front["waiting"] == 0 and front["connections"] == 0)


def test_ready_is_who_has_somebody_to_serve(operated: Callable[..., Operator]) -> None:
    with Backend() as backend:
        server = operated([backend.url], "--hold", "100ms", *ADMIN).server
        admin = admin_of(server)
        wait_for(admin, "ready", 200)
        port = backend.address.port
        backend.close()
        assert exchange(server.address, http_request()).status == 502
        wait_for(admin, "ready", 503)
        assert probe(admin, "live")[0] == 200
        # Nobody sends requests to a server that is not ready: it finds out by itself.
        with Backend(port=port):
            wait_for(admin, "ready", 200)


def test_a_front_whose_upstream_is_never_well_is_not_ready(front: Front) -> None:
    with Backend(BAD) as backend:
        admin = admin_of(front([backend.url], "--health-path", "/health", *ADMIN))
        assert probe(admin, "live")[0] == 200
        assert probe(admin, "ready")[0] == 503


def test_every_request_has_one_line(front: Front, tmp_path: Path) -> None:
    put(tmp_path / "public" / "a.txt", b"12345")
    with Backend() as backend:
        server = front([backend.url], "--static", f"/s/={tmp_path}/public", "--access-log", "on")
        assert exchange(server.address, http_request(target="/up")).status == 200
        assert exchange(server.address, http_request(target="/s/a.txt")).status == 200
        large = http_request("POST", "/large", {"Content-Length": str(1 << 40)})
        assert exchange(server.address, large).status == 413
        assert exchange(server.address, b"GET / HTTP/1.1\r\n\r\n").status == 400
        server.log.wait_for(r'"-" 400 ')
        lines = [line for line in server.log.lines(0) if re.search(r'" \d{3} \d+ "', line)]
        found = [re.sub(r".* - - \[.*?\] (.*?) \"-\" \"-\" [\d.]+$", r"\1", line) for line in lines]
        assert found[:2] == ['"GET /up HTTP/1.1" 200 2', '"GET /s/a.txt HTTP/1.1" 200 5']
        assert re.fullmatch(r'"POST /large HTTP/1.1" 413 \d+', found[2])
        assert re.fullmatch(r'"-" 400 \d+', found[3])
        assert len(found) == 4
