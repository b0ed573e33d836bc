"""`--refork-after`: a warmed worker becomes the template, nobody notices, and what fails on the way changes nothing."""

from __future__ import annotations

import os
import signal
import socket
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.load import Load
from tests.preload.conftest import NATIVE, evaluate, template_of, wait_until, workers_of
from tests.server import run
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve
    from tests.preload.conftest import Code
    from tests.server import Server

APP = ("preloaded:app", "--preload", "--refork-after", "5", "--log-level", "debug")
WARM = "WARM.append(os.getpid())"
"""What a request leaves in the memory of its worker."""


@pytest.fixture
def warmed(code: Code) -> Code:
    """Code whose requests can leave something in memory."""
    code.write("WARM = []")
    return code


def warm(server: Server, mark: int = 0, said: str = "all workers are forks of the new template") -> int:
    """Sends requests until a worker has become the template; returns its process number."""
    deadline = time.monotonic() + 40
    while not any(said in line for line in server.log.lines(mark)):
        assert time.monotonic() < deadline, "no worker becomes the template"
        evaluate(server, WARM)
        time.sleep(0.01)
    return template_of(server)


def test_a_warmed_worker_forks_the_others_and_no_request_is_lost(serve: Serve, code: Code) -> None:
    from tests.process.conftest import Project

    Project(code.directory).write("1")
    server = serve(
        "versioned:app", "--preload", "--refork-after", "500", "--workers", "2", cwd=code.directory
    )
    import_template, first = template_of(server), workers_of(server)
    with Load(server.address) as load:
        server.log.wait_for("all workers are forks of the new template", timeout=30)
        load.wait_for(100)
    assert load.tally.failures == []
    assert load.tally.right > 500
    template = template_of(server)
    assert template in first
    assert template != import_template
    assert len(workers_of(server)) == 2
    assert not set(first) & set(workers_of(server))


def test_what_requests_left_in_memory_is_in_every_worker(serve: Serve, warmed: Code) -> None:
    server = serve(*APP, "--workers", "2", cwd=warmed.directory)
    imported_by = template_of(server)
    template = warm(server)
    for _ in range(10):
        pids = evaluate(server, "IMPORTED_BY, WARM[0], os.getppid(), os.getpid()").strip("()").split(", ")
        assert [int(pid) for pid in pids[:3]] == [imported_by, template, server.pid]
        assert int(pids[3]) in workers_of(server)


def test_it_happens_once_for_each_import(serve: Serve, warmed: Code) -> None:
    server = serve(*APP, cwd=warmed.directory)
    template = warm(server)
    for _ in range(30):
        evaluate(server, WARM)
    # Three looks at the counts.
    time.sleep(3.1)
    assert template_of(server) == template
    warmed.write("WARM = []", version="2")
    mark = server.log.mark()
    server.reload()
    assert evaluate(server, "VERSION") == "2"
    assert warm(server, mark) != template
    assert evaluate(server, "VERSION") == "2"


def test_one_thread_is_in_the_new_template_and_its_objects_are_frozen(serve: Serve, warmed: Code) -> None:
    server = serve(*APP, "--workers", "2", cwd=warmed.directory)
    template = warm(server)
    assert len(os.listdir(f"/proc/{template}/task")) == 1
    assert int(evaluate(server, "__import__('gc').get_freeze_count()")) > 1000


@pytest.mark.parametrize("threads", ["1", "4"])
def test_forks_of_a_worker_are_workers_like_others(serve: Serve, warmed: Code, threads: str) -> None:
    """Their signals, their exit, their children: nothing is left of the worker that was forked."""
    server = serve(*APP, "--threads", threads, cwd=warmed.directory)
    warm(server)
    (worker,) = workers_of(server)
    child = evaluate(server, "(lambda pid: pid or (__import__('time').sleep(60), os._exit(0)))(os.fork())")
    # The answer may come before the child has run what it runs first.
    wait_until(lambda: not _sockets(int(child)), "the child keeps sockets")
    os.kill(int(child), signal.SIGKILL)
    mark = server.log.mark()
    os.kill(worker, signal.SIGTERM)
    server.log.wait_for(rf"pid {worker}\) exited with code 0 unasked", mark)
    wait_until(lambda: len(set(workers_of(server)) - {worker}) == 1, "it was not replaced")
    assert server.stop() == 0


def _sockets(pid: int) -> list[str]:
    directory = f"/proc/{pid}/fd"
    targets = [os.readlink(f"{directory}/{number}") for number in os.listdir(directory)]
    return [target for target in targets if target.startswith("socket:")]


def test_idle_connections_of_the_worker_go_on(serve: Serve, warmed: Code) -> None:
    server = serve(*APP, cwd=warmed.directory)
    (worker,) = workers_of(server)
    clients = [Connection(server.address) for _ in range(20)]
    for client in clients:
        client.send(http_request(target="/eval?os.getpid()"))
        assert int(client.read_response().body) == worker
    server.log.wait_for("all workers are forks of the new template")
    for client in clients:
        client.send(http_request(target="/eval?os.getpid()"))
        assert int(client.read_response().body) != worker
        client.close()


def test_a_request_that_runs_is_finished_first(serve: Serve, warmed: Code, tmp_path: Path) -> None:
    server = serve(*APP, cwd=warmed.directory)
    (worker,) = workers_of(server)
    gate = tmp_path / "open"
    with Connection(server.address, timeout=60.0) as client:
        client.send(http_request(target=f"/eval?{quote(f'({until(gate)} * 0, os.getpid())')}"))
        for _ in range(10):
            evaluate(server, WARM)
        server.log.wait_for(r"is to become the template")
        assert len(workers_of(server)) >= 1
        assert evaluate(server, "1 + 1") == "2"
        gate.touch()
        response = client.read_response()
        assert response.status == 200
        assert response.body == f"([], {worker})".encode()
    assert warm(server) == worker


def test_what_on_fork_began_ends_with_on_exit_before_the_forks(serve: Serve, code: Code) -> None:
    code.write(
        """
        import tapster, threading
        WARM, SAID, STOP = [], [], threading.Event()

        @tapster.on_fork
        def begin():
            SAID.append(("fork", os.getpid(), tapster.worker_id()))
            STOP.clear()
            thread = threading.Thread(target=STOP.wait, name="metrics")
            thread.start()
            tapster.on_exit(thread.join)
            tapster.on_exit(STOP.set)

        @tapster.on_exit
        def end():
            SAID.append(("exit", os.getpid()))
        """
    )
    server = serve(*APP, cwd=code.directory)
    template = warm(server)
    (worker,) = workers_of(server)
    number = evaluate(server, "tapster.worker_id()")
    wanted = [("fork", template, 1), ("exit", template), ("fork", worker, int(number))]
    assert evaluate(server, "SAID") == str(wanted)
    assert server.stop() == 0


@pytest.mark.parametrize(
    ("code_of_request", "reason"),
    [
        (
            "START(target=__import__('time').sleep, args=(60,), name='metrics', daemon=True).start()",
            r"cannot become the template: the application has left .* running",
        ),
        (
            "globals().setdefault('OPEN', __import__('socket').create_connection(DATABASE))",
            r"cannot become the template: all workers would share the connections .*127\.0\.0\.1:",
        ),
    ],
    ids=["thread", "connection"],
)
def test_a_worker_that_must_not_be_forked_says_why_and_all_stays(
    serve: Serve, code: Code, code_of_request: str, reason: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as database:
        code.write(
            f"""
            from threading import Thread as START
            WARM, DATABASE = [], {database.getsockname()!r}
            """
        )
        server = serve(*APP, "--workers", "2", cwd=code.directory)
        template = template_of(server)
        for _ in range(20):
            evaluate(server, code_of_request)
        server.log.wait_for(reason)
        server.log.wait_for("did not become the template: the former one forks on")
        wait_until(lambda: len(workers_of(server)) == 2, "capacity is lost")
        for _ in range(20):
            evaluate(server, WARM)
        assert template_of(server) == template
        assert sum("is to become the template" in line for line in server.log.lines()) == 1


def test_a_native_thread_of_a_worker_is_named_in_a_warning(serve: Serve, code: Code) -> None:
    code.write("    WARM = []\n" + NATIVE)
    server = serve(*APP, cwd=code.directory)
    evaluate(server, "start_pool()")
    warm(server)
    server.log.wait_for(r"warning\].*the application has started native threads \(1 blas-kernel\)")


def test_a_worker_killed_on_its_way_changes_nothing(serve: Serve, warmed: Code) -> None:
    server = serve(*APP, "--workers", "2", cwd=warmed.directory)
    template = template_of(server)
    # More than one worker has threads: each worker has one at least.
    blocked = [Connection(server.address) for _ in range(5)]
    try:
        for client in blocked:
            client.send(http_request(target="/eval?__import__('time').sleep(30)"))
        for _ in range(40):
            evaluate(server, WARM)
        found = server.log.wait_for(r"\(pid (\d+)\) answered .* is to become the template")
        os.kill(int(found[1]), signal.SIGKILL)
        server.log.wait_for("did not become the template|was killed by signal 9|unasked")
        wait_until(lambda: len(workers_of(server)) == 2, "capacity is lost")
        assert evaluate(server, "1 + 1") == "2"
        assert template_of(server) == template
    finally:
        for pid in workers_of(server):
            os.kill(pid, signal.SIGKILL)
        for client in blocked:
            client.close()


def test_a_template_that_was_a_worker_is_made_anew_when_it_dies(serve: Serve, warmed: Code) -> None:
    server = serve(*APP, "--workers", "2", cwd=warmed.directory)
    old, workers = warm(server), workers_of(server)
    mark = server.log.mark()
    os.kill(old, signal.SIGKILL)
    server.log.wait_for(r"the template .* ready after", mark)
    assert template_of(server) != old
    assert set(workers) & set(workers_of(server))


def test_what_the_import_made_is_removed_at_the_end_only(serve: Serve, code: Code, tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    code.write(f"import tempfile; WARM = []; KEPT = tempfile.TemporaryDirectory(dir={str(made)!r})")
    server = serve(*APP, "--workers", "2", cwd=code.directory)
    (kept,) = made.iterdir()
    former = template_of(server)
    warm(server)
    server.log.wait_for(rf"\(pid {former}\) exited with code 0")
    assert kept.exists()
    assert server.stop() == 0
    assert not kept.exists()


def test_a_stop_while_a_worker_becomes_the_template_is_a_stop(
    serve: Serve, warmed: Code, tmp_path: Path
) -> None:
    server = serve(*APP, cwd=warmed.directory)
    gate = tmp_path / "open"
    with Connection(server.address, timeout=60.0) as client:
        client.send(http_request(target=f"/eval?{quote(until(gate))}"))
        for _ in range(10):
            evaluate(server, WARM)
        server.log.wait_for(r"is to become the template")
        mark = server.log.mark()
        server.send(signal.SIGTERM)
        server.log.wait_for("stopping", mark)
        gate.touch()
        assert client.read_response().status == 200
    assert server.wait() == 0
    assert not any("has become the template" in line for line in server.log.lines())


def until(gate: Path) -> str:
    """An expression that has no value before the file is there."""
    there = f"__import__('os').path.exists({str(gate)!r})"
    return f"[__import__('time').sleep(0.01) for _ in iter(lambda: {there}, True)]"


def test_without_preload_it_is_refused(code: Code) -> None:
    ended = run("preloaded:app", "--refork-after", "5", cwd=code.directory)
    assert ended.returncode == 2
    assert "--refork-after" in ended.stderr
    assert "add --preload" in ended.stderr


def test_load_over_a_reload_and_recycling_beside_it(serve: Serve, code: Code) -> None:
    """Reforks, a reload and workers that are due, all at the same time."""
    from tests.process.conftest import Project

    project = Project(code.directory)
    project.write("1")
    server = serve(
        "versioned:app",
        "--preload",
        "--refork-after",
        "200",
        "--max-requests",
        "300",
        "--workers",
        "2",
        cwd=code.directory,
    )
    with Load(server.address) as load:
        for version in "23456":
            load.wait_for(300, timeout=60)
            project.write(version)
            server.reload()
            body = exchange(server.address, http_request(target="/version")).body
            assert body.decode() == version
    assert load.tally.failures == []
    assert len(workers_of(server)) >= 2
