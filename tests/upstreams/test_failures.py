"""Upstreams that do not answer, answer nonsense, or are not there: what the client gets, and who is asked again."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from typing import TYPE_CHECKING, Callable

import pytest

from tests.hosts.waiting import wait_until
from tests.server import Server
from tests.upstreams.backend import OK, Backend, answer
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

Front = Callable[..., Server]

BAD_GATEWAY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy"


def closed_port() -> int:
    """A port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.mark.parametrize(
    "said",
    [
        b"hello\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\rSet-Cookie: x=y\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"a" * 300_000 + b"\r\n\r\n",
    ],
)
def test_an_answer_that_is_no_http_is_502(front: Front, said: bytes) -> None:
    with Backend(said) as backend:
        server = front([backend.url])
        response = exchange(server.address, http_request("GET", "/"))
        assert response.status == 502
        # Why, and who, is for the log alone.
        assert b"127.0.0.1" not in response.body
        server.log.wait_for(
            r"refused with 502: .*http://127[.:\d]+ (sent an answer that is not HTTP|cannot be passed on)"
        )


def test_chunks_that_are_none_end_the_answer(front: Front) -> None:
    said = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0x2\r\ncd\r\n0\r\n\r\n"
    with Backend(said) as backend, Connection(front([backend.url]).address) as connection:
        connection.send(http_request("GET", "/"))
        assert not connection.read_to_end().endswith(b"0\r\n\r\n")


def test_what_follows_an_answer_is_not_the_next_one(front: Front) -> None:
    with Backend(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil") as backend:
        server = front([backend.url])
        with Connection(server.address) as connection:
            for _ in range(3):
                connection.send(http_request("GET", "/"))
                assert connection.read_response().body == b"ok"


def test_silence_is_504(front: Front) -> None:
    gate = threading.Event()

    def wait(_head: bytes, _body: bytes, _connection: socket.socket) -> bytes:
        gate.wait(20)
        return b""

    with Backend(wait) as backend:
        server = front([backend.url], "--answer-timeout", "300ms")
        assert exchange(server.address, http_request("GET", "/")).status == 504
        gate.set()


def test_silence_in_the_middle_cuts_the_answer(front: Front) -> None:
    gate = threading.Event()

    def stop(_head: bytes, _body: bytes, connection: socket.socket) -> bytes:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        gate.wait(20)
        return b""

    with Backend(stop) as backend:
        server = front([backend.url], "--answer-timeout", "300ms")
        with Connection(server.address) as connection:
            connection.send(http_request("GET", "/"))
            connection.read_head()
            assert connection.read_to_end() == b"half"
        gate.set()
        server.log.wait_for(r"the answer of http://.* was cut off: .*\(--answer-timeout\)")


def test_a_request_that_may_not_run_twice_is_not_sent_twice(front: Front) -> None:
    with Backend(b"") as one, Backend(b"") as other:
        server = front([one.url, other.url])
        assert exchange(server.address, http_request("POST", "/", body=b"x"), "POST").status == 502
        assert len(one.heads) + len(other.heads) == 1
        assert exchange(server.address, http_request("GET", "/")).status == 502
        assert len(one.heads) + len(other.heads) == 3
        assert one.heads
        assert other.heads


def test_a_key_says_that_it_may_run_twice(front: Front) -> None:
    key = {"Idempotency-Key": "4711"}
    with Backend(b"") as one, Backend() as other:
        server = front([one.url, other.url], "--retry-idempotency-key", "--balance", "round-robin")
        for _ in range(4):
            request = http_request("POST", "/", key, body=b"x")
            assert exchange(server.address, request, "POST").status == 200
        assert one.heads
        statuses = [
            exchange(server.address, http_request("POST", "/", body=b"x"), "POST").status for _ in range(2)
        ]
        assert sorted(statuses) == [200, 502]


def test_another_upstream_answers_for_one_that_cannot(front: Front) -> None:
    with Backend(BAD_GATEWAY) as bad, Backend() as good:
        server = front([bad.url, good.url], "--balance", "round-robin")
        for _ in range(12):
            assert exchange(server.address, http_request("GET", "/")).status == 200
        # Five failures take it out.
        assert len(bad.heads) == 5
        server.log.wait_for(r"upstream http://127\.0\.0\.1:\d+ gets no requests for now: it failed requests")


def test_the_last_upstream_is_never_taken_out(front: Front) -> None:
    with Backend(BAD_GATEWAY) as backend:
        server = front([backend.url])
        for _ in range(12):
            response = exchange(server.address, http_request("GET", "/"))
            assert (response.status, response.body) == (503, b"busy")
        assert len(backend.heads) == 12


def test_the_application_s_own_errors_are_nobody_s_failure(front: Front) -> None:
    error = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"
    with Backend(error) as one, Backend(error) as other:
        server = front([one.url, other.url], "--balance", "round-robin")
        for _ in range(20):
            assert exchange(server.address, http_request("GET", "/")).status == 500
        assert len(one.heads) == len(other.heads) == 10


def test_an_upstream_that_is_not_there_costs_nothing(front: Front) -> None:
    with Backend() as backend:
        server = front([f"http://127.0.0.1:{closed_port()}", backend.url, "unix:/nowhere.sock"])
        for _ in range(20):
            assert exchange(server.address, http_request("POST", "/", body=b"x"), "POST").status == 200
        assert len(backend.heads) == 20


def test_without_a_hold_the_others_are_asked_all_the_same(front: Front) -> None:
    with Backend() as backend:
        nowhere = [f"http://127.0.0.1:{closed_port()}" for _ in range(3)]
        server = front([*nowhere, backend.url], "--hold", "0")
        for _ in range(10):
            assert exchange(server.address, http_request("GET", "/")).status == 200


def test_no_upstream_is_502_after_the_hold(front: Front) -> None:
    server = front([f"http://127.0.0.1:{closed_port()}"], "--hold", "400ms")
    began = time.monotonic()
    assert exchange(server.address, http_request("GET", "/")).status == 502
    assert time.monotonic() - began >= 0.4
    server.log.wait_for(r"refused with 502: .*--hold")


def test_requests_wait_for_a_restart(front: Front, tmp_path: Path) -> None:
    socket_path = tmp_path / "app.sock"
    upstream = f"unix:{socket_path}"
    server = front([upstream])
    with contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(Connection(server.address)) for _ in range(20)]
        for connection in waiting:
            connection.send(http_request("POST", "/echo", body=b"patience"))
        waiting[0].assert_silent(0.3)
        with Server.start("plain:application", "--bind", upstream):
            for connection in waiting:
                assert connection.read_response("POST").body == b"patience"


def test_who_left_while_waiting_is_not_sent(front: Front) -> None:
    with Backend() as backend:
        server = front([f"http://127.0.0.1:{closed_port()}"])
        with Connection(server.address) as connection:
            connection.send(http_request("GET", "/"))
            connection.assert_silent(0.1)
            connection.reset()
        assert backend.heads == []


def test_an_idle_connection_that_ended_is_no_failure(front: Front) -> None:
    count = iter(range(100))

    def one_each(_head: bytes, _body: bytes, connection: socket.socket) -> bytes:
        # Says that it stays, and closes.
        connection.sendall(OK)
        connection.shutdown(socket.SHUT_RDWR)
        next(count)
        return b""

    with Backend(one_each) as backend:
        server = front([backend.url])
        for _ in range(20):
            assert exchange(server.address, http_request("GET", "/")).status == 200


def test_slots_bound_what_an_upstream_has_at_once(front: Front) -> None:
    gate, most, now = threading.Event(), [0], [0]
    lock = threading.Lock()

    def busy(_head: bytes, _body: bytes, _connection: socket.socket) -> bytes:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        gate.wait(20)
        with lock:
            now[0] -= 1
        return OK

    with Backend(busy) as backend, contextlib.ExitStack() as stack:
        server = front([f"{backend.url} slots=2"], "--queue-timeout", "60s")
        waiting = [stack.enter_context(Connection(server.address)) for _ in range(103)]
        for connection in waiting:
            connection.send(http_request("GET", "/"))
        # Two have a slot, a hundred wait: one more is too much.
        [told] = select.select([connection.socket for connection in waiting], [], [], 20)[0]
        full = next(connection for connection in waiting if connection.socket is told)
        waiting.remove(full)
        response = full.read_response()
        assert (response.status, response.get("retry-after")) == (503, "5")
        wait_until(lambda: now == [2], "both slots are used")
        gate.set()
        assert [connection.read_response().status for connection in waiting] == [200] * 102
        assert most == [2]


def test_who_waits_too_long_for_a_slot_is_told(front: Front) -> None:
    gate = threading.Event()

    def busy(_head: bytes, _body: bytes, _connection: socket.socket) -> bytes:
        gate.wait(20)
        return OK

    with Backend(busy) as backend:
        server = front([backend.url], "--upstream-slots", "1", "--queue-timeout", "300ms")
        with Connection(server.address) as first:
            first.send(http_request("GET", "/"))
            wait_until(lambda: len(backend.heads) == 1, "it has the slot")
            late = exchange(server.address, http_request("GET", "/"))
            assert (late.status, late.get("retry-after")) == (503, "5")
            gate.set()
            assert first.read_response().status == 200
        backend.script = answer(OK)
        assert exchange(server.address, http_request("GET", "/")).status == 200
