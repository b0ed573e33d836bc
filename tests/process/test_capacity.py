"""More clients than a worker may have, or than there are descriptors for: nobody spins, nobody served suffers (F26)."""

from __future__ import annotations

import os
import resource
import selectors
import socket
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tests.server import command
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    import pytest

    from tests.address import Address
    from tests.conftest import Serve

APP = "plain:application"
ACCEPTING = "cannot accept connections"


def cpu_seconds(pid: int) -> float:
    """What a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="latin-1").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def assert_lazy(pid: int, seconds: float, share: float) -> None:
    """The process uses at most this share of a processor for a while."""
    before = cpu_seconds(pid)
    time.sleep(seconds)
    assert cpu_seconds(pid) - before <= share * seconds + 0.02


def clients(address: Address, count: int) -> list[socket.socket]:
    """Clients that have sent a request and wait for what comes."""
    made: list[socket.socket] = []
    for _ in range(count):
        client = address.connect()
        client.sendall(http_request())
        made.append(client)
    return made


def answers(waiting: list[socket.socket], seconds: float, enough: int = 0) -> Counter[bytes]:
    """The status of each client that has an answer after this time, or half a second after `enough` have one."""
    found: Counter[bytes] = Counter()
    until = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for client in waiting:
            selector.register(client, selectors.EVENT_READ)
        while selector.get_map() and (left := until - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                client = key.fileobj
                assert isinstance(client, socket.socket)
                answer = client.recv(4096)
                found[answer[9:12]] += 1
                assert b"\r\nRetry-After: " in answer or not answer.startswith(b"HTTP/1.1 503")
                selector.unregister(client)
            if enough and sum(found.values()) >= enough:
                until, enough = min(until, time.monotonic() + 0.5), 0
    return found


def close(opened: list[socket.socket]) -> None:
    for client in opened:
        client.close()


def limit_open_files(pid: int, more: int) -> None:
    """Leaves a running process so many descriptors."""
    limit = len(os.listdir(f"/proc/{pid}/fd")) + more
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, limit))


def test_without_descriptors_clients_are_told_and_the_others_are_served(serve: Serve) -> None:
    server = serve(APP)
    (worker,) = server.worker_pids()
    with Connection(server.address) as old:
        old.send(http_request())
        old.read_response()
        limit_open_files(worker, 10)
        crowd = clients(server.address, 200)
        mark, start = server.log.mark(), time.monotonic()
        for _ in range(10):
            old.send(http_request())
            assert old.read_response().body == b"hello"
        assert_lazy(worker, 2.0, 0.2)
        assert len(server.log.find(ACCEPTING)) <= 2
        assert len(server.log.lines(mark)) <= 1 + time.monotonic() - start
        found = answers(crowd, 20.0)
        assert found[b"200"] >= 8, found
        assert found[b"503"] >= 100, found
        assert found[b""] == 0, found
        close(crowd)
        start = time.monotonic()
        while exchange(server.address, http_request()).status == 503:
            assert time.monotonic() - start < 10.0
        old.send(http_request())
        assert old.read_response().body == b"hello"


def test_with_64_descriptors_200_clients_are_served_one_after_the_other(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default a worker takes no more connections than it has descriptors for; the others wait."""
    original = " ".join(command())
    monkeypatch.setenv("TAPSTER_COMMAND", f"sh -c 'ulimit -n 64 && exec {original} \"$@\"' sh")
    server = serve(APP)
    (worker,) = server.worker_pids()
    crowd = clients(server.address, 200)
    assert_lazy(worker, 1.0, 0.2)
    served = 0
    while crowd:
        ready = [client for client in crowd if answers([client], 0.001)]
        served += len(ready)
        close(ready)
        crowd = [client for client in crowd if client not in ready]
    assert served == 200
    assert server.log.find(ACCEPTING) == []


def test_what_one_worker_has_no_descriptors_for_the_other_serves(serve: Serve) -> None:
    server = serve(APP, "--workers", "2")
    limit_open_files(server.worker_pids()[0], 3)
    crowd = clients(server.address, 100)
    found = answers(crowd, 20.0)
    assert found == {b"200": 100}
    close(crowd)


def test_what_one_worker_may_not_have_the_other_serves(serve: Serve) -> None:
    server = serve(APP, "--workers", "2", "--worker-connections", "20")
    crowd = clients(server.address, 60)
    found = answers(crowd, 20.0, enough=40)
    assert 40 <= found[b"200"] <= 44, "a worker that leaves takes one last client"
    assert_lazy(server.worker_pids()[0], 0.5, 0.05)
    close(crowd[:40])
    assert answers(crowd[44:], 20.0) == {b"200": 16}
    close(crowd)


def test_a_listener_shut_down_elsewhere_costs_nothing(serve: Serve) -> None:
    """Whoever handed the socket in can do that; the other addresses go on."""
    with socket.create_server(("127.0.0.1", 0)) as handed:
        number = handed.fileno()
        server = serve(APP, "--bind", "127.0.0.1:0", "--bind", f"fd://{number}", pass_fds=[number])
        (worker,) = server.worker_pids()
        handed.shutdown(socket.SHUT_RDWR)
        server.log.wait_for(ACCEPTING)
        assert_lazy(worker, 2.0, 0.05)
        own = next(found for found in server.addresses if found.port != handed.getsockname()[1])
        for _ in range(10):
            assert exchange(own, http_request()).body == b"hello"
        assert len(server.log.find(ACCEPTING)) == 1


def test_the_limit_on_open_files_is_raised(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    original = " ".join(command())
    monkeypatch.setenv("TAPSTER_COMMAND", f"sh -c 'ulimit -Sn 100 && exec {original} \"$@\"' sh")
    server = serve(APP, "--log-level", "debug", "--worker-connections", "1000000")
    assert server.log.find("limit on open files is raised from 100 to ")
    soft, hard = resource.prlimit(server.worker_pids()[0], resource.RLIMIT_NOFILE)
    assert soft == min(hard, 1 << 20)
    monkeypatch.setenv("TAPSTER_COMMAND", f"sh -c 'ulimit -n 100 && exec {original} \"$@\"' sh")
    server = serve(APP, "--worker-connections", "1000")
    assert server.log.find("--worker-connections 1000 is more than")
