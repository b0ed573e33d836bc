"""Processes that die: a worker is replaced, a dead supervisor leaves nobody behind."""

from __future__ import annotations

import os
import select
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.hosts.waiting import wait_until
from tests.server import Server, run, wait_gone
from tests.wire import Connection, Truncated, exchange, http_request

if TYPE_CHECKING:
    from tests.conftest import Serve
    from tests.process.conftest import Gates

APP = "steps:application"


def wait_for_workers(server: Server, count: int, without: list[int], timeout: float = 20.0) -> list[int]:
    """Until there are this many workers, none of them an old one."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        found = server.worker_pids()
        if len(found) == count and not set(found) & set(without):
            return found
        time.sleep(0.01)
    raise AssertionError(f"workers {server.worker_pids()}, expected {count} without {without}")


def pid_of(server: Server) -> int:
    return int(exchange(server.address, http_request(target="/pid")).body)


def assert_unanswered(server: Server, target: str) -> None:
    """The request takes its worker along: the client sees the connection end."""
    with pytest.raises((Truncated, ConnectionError)):
        exchange(server.address, http_request(target=target))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_worker_is_replaced(serve: Serve, workers: int) -> None:
    server = serve(APP, "--workers", str(workers))
    victim = server.worker_pids()[0]
    mark = server.log.mark()
    os.kill(victim, signal.SIGKILL)
    wait_for_workers(server, workers, [victim])
    server.log.wait_for(f"{victim}.*(9|KILL)", mark)
    for _ in range(20):
        assert pid_of(server) != victim


def test_connections_that_wait_are_not_lost(serve: Serve) -> None:
    """Connections that come while the only worker is dead are answered by the next one."""
    server = serve(APP)
    old = server.worker_pids()
    os.kill(old[0], signal.SIGKILL)
    for _ in range(20):
        assert pid_of(server) not in old


def test_dead_workers_are_buried(serve: Serve) -> None:
    server = serve(APP, "--workers", "2")
    for _ in range(3):
        old = server.worker_pids()
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        wait_for_workers(server, 2, old)
        assert not any(Path(f"/proc/{pid}").exists() for pid in old), "no zombies"


def test_a_worker_told_to_stop_finishes_and_is_replaced(serve: Serve, gates: Gates) -> None:
    """`kill WORKER`, by a person or a tool that watches memory."""
    server = serve(APP, env=gates.env)
    with Connection(server.address) as connection:
        connection.send(http_request(target="/gate?name=last"))
        old = gates.wait_inside("last")
        os.kill(old, signal.SIGTERM)
        gates.open("last")
        assert connection.read_response().body == b"opened last"
    wait_gone([old], 20.0)
    wait_for_workers(server, 1, [old])
    assert pid_of(server) != old


@pytest.mark.parametrize("code", [0, 1, 3, 4, 9, 255])
def test_os_exit_costs_one_worker(serve: Serve, code: int) -> None:
    server = serve(APP)
    old = server.worker_pids()
    assert_unanswered(server, f"/hard-exit?code={code}")
    wait_for_workers(server, 1, old)
    assert pid_of(server) not in old


def test_a_crash_in_c_costs_one_worker(serve: Serve) -> None:
    server = serve(APP, "--workers", "2")
    mark = server.log.mark()
    assert_unanswered(server, "/crash")
    server.log.wait_for("(?i)SEGV|signal 11", mark)
    wait_for_workers(server, 2, [])
    for _ in range(20):
        assert pid_of(server) > 0


@pytest.mark.parametrize("how", ["exit", "crash"])
def test_an_end_in_the_middle_of_a_body_shows(serve: Serve, how: str) -> None:
    server = serve(APP, "--workers", "2")
    with pytest.raises((Truncated, ConnectionError)):
        exchange(server.address, http_request(target=f"/ends?how={how}&where=midway"))
    assert pid_of(server) > 0


@pytest.mark.parametrize("how", ["exit", "crash"])
def test_an_end_in_close_comes_after_the_answer(serve: Serve, how: str) -> None:
    server = serve(APP, "--workers", "2")
    mark = server.log.mark()
    assert exchange(server.address, http_request(target=f"/ends?how={how}&where=close")).body == b"onetwo"
    server.log.wait_for("(?i)exited with code 9|SEGV|signal 11", mark)
    wait_for_workers(server, 2, [])
    assert pid_of(server) > 0


def test_many_crashes_never_stop_the_server(serve: Serve) -> None:
    server = serve(APP, "--workers", "2")
    for _ in range(10):
        assert_unanswered(server, "/hard-exit")
    assert pid_of(server) > 0
    wait_for_workers(server, 2, [])


def test_sys_exit_costs_one_request(serve: Serve) -> None:
    server = serve(APP)
    server.allow("SystemExit")
    before = pid_of(server)
    for _ in range(20):
        assert exchange(server.address, http_request(target="/soft-exit")).status == 500
    assert pid_of(server) == before


@pytest.mark.parametrize("busy", ["", "/sleep?seconds=20", "/spin?seconds=20"])
def test_workers_do_not_outlive_the_supervisor(serve: Serve, busy: str) -> None:
    server = serve(APP, "--workers", "2")
    workers = server.worker_pids()
    with Connection(server.address) as connection:
        if busy:
            connection.send(http_request(target=busy))
            time.sleep(0.1)
        server.send(signal.SIGKILL)
        server.wait()
        wait_gone(workers, 10.0)
    again = serve(APP, "--bind", str(server.address))
    assert pid_of(again) > 0


@pytest.mark.parametrize("workers", ["1", "3"])
def test_an_app_that_cannot_be_imported_ends_the_start(tmp_path: Path, workers: str) -> None:
    (tmp_path / "broken.py").write_text("raise RuntimeError('planned, at import')\n")
    ended = run("broken:app", "--workers", workers, "--bind", "127.0.0.1:0", cwd=tmp_path, timeout=20)
    assert ended.returncode not in (0, None)
    assert ended.returncode > 0, "an exit code, not a signal"
    assert "RuntimeError: planned, at import" in ended.stderr
    assert ended.stderr.count("Traceback") == 1, ended.stderr


def test_a_leftover_unix_socket_is_replaced(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "s"
    first = serve(APP, "--bind", f"unix:{path}")
    first.send(signal.SIGKILL)
    first.wait()
    assert path.exists()
    second = serve(APP, "--bind", f"unix:{path}")
    assert exchange(second.address, http_request(target="/pid")).status == 200


def test_a_killed_worker_takes_only_its_own_requests(serve: Serve, gates: Gates) -> None:
    server = serve(APP, "--workers", "2", "--threads", "1", env=gates.env)
    with Connection(server.address) as first, Connection(server.address) as second:
        first.send(http_request(target="/gate?name=first"))
        victim = gates.wait_inside("first")
        second.send(http_request(target="/gate?name=second"))
        assert gates.wait_inside("second") != victim
        os.kill(victim, signal.SIGKILL)
        with pytest.raises((Truncated, ConnectionError)):
            first.read_response()
        gates.open("second")
        assert second.read_response().body == b"opened second"


def refuses(server: Server) -> bool:
    try:
        server.address.connect(1.0).close()
    except ConnectionRefusedError:
        return True
    return False


def test_an_orphan_with_a_request_inside_holds_no_port(serve: Serve, gates: Gates) -> None:
    """Whoever comes is refused at once, and does not wait for a worker that takes nobody.

    An orphan has half a second, which a busy machine may take from it whole: then nothing was seen, and it is tried again.
    """
    for attempt in range(5):
        server = serve(APP, "--workers", "2", env=gates.env)
        with Connection(server.address) as connection:
            connection.send(http_request(target=f"/gate?name={attempt}"))
            orphan = os.pidfd_open(gates.wait_inside(str(attempt)))
            os.kill(server.pid, signal.SIGKILL)
            wait_until(lambda server=server: refuses(server), "nobody listens")
            gates.open(str(attempt))
            lived = not select.select([orphan], [], [], 0)[0]
            os.close(orphan)
            if lived and answered(connection) == b"opened %d" % attempt:
                return
    raise AssertionError("no orphan lived until clients were refused, and answered")


def answered(connection: Connection) -> bytes:
    """The body of the answer; nothing where the connection ends instead."""
    try:
        return connection.read_response().body
    except (Truncated, ConnectionError):
        return b""
