"""What a forked worker has of its template, and what it must not have: F17 of the fault list, and more."""

from __future__ import annotations

import ast
import os
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from tests.preload.conftest import NATIVE, evaluate, template_of, wait_until, workers_of
from tests.server import run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve
    from tests.preload.conftest import Code
    from tests.server import Server

APP = ("preloaded:app", "--preload", "--log-level", "debug")


def in_each_worker(server: Server, text: str) -> list[str]:
    """What the workers say, one after the other: each is killed once it has spoken."""
    said: list[str] = []
    for _ in range(3):
        pid, _, value = evaluate(server, f"'{{}} {{}}'.format(os.getpid(), {text})").partition(" ")
        said.append(value)
        os.kill(int(pid), signal.SIGKILL)
        wait_until(lambda gone=int(pid): gone not in workers_of(server), "the worker lives")
    return said


@pytest.mark.parametrize(
    "text",
    [
        "__import__('random').random()",
        "__import__('uuid').uuid4()",
        "__import__('ssl').RAND_bytes(16).hex()",
        "__import__('secrets').token_hex(16)",
    ],
    ids=["random", "uuid", "ssl", "secrets"],
)
def test_workers_draw_different_numbers(serve: Serve, code: Code, text: str) -> None:
    code.write("import random, secrets, ssl, uuid; random.random(), uuid.uuid4(), ssl.RAND_bytes(1)")
    said = in_each_worker(serve(*APP, cwd=code.directory), text)
    assert len(set(said)) == len(said)


def test_hooks_of_fork_run_on_the_right_side(serve: Serve, code: Code) -> None:
    code.write(
        """
        RAN = []
        os.register_at_fork(
            before=lambda: RAN.append(("before", os.getpid())),
            after_in_parent=lambda: RAN.append(("parent", os.getpid())),
            after_in_child=lambda: RAN.append(("child", os.getpid())),
        )
        """
    )
    server = serve(*APP, cwd=code.directory)
    template, (worker,) = template_of(server), workers_of(server)
    assert evaluate(server, "RAN") == str([("before", template), ("child", worker)])


def test_one_thread_is_in_the_template_and_its_objects_are_frozen(serve: Serve, code: Code) -> None:
    server = serve(*APP, "--workers", "2", cwd=code.directory)
    assert len(os.listdir(f"/proc/{template_of(server)}/task")) == 1
    assert int(evaluate(server, "__import__('gc').get_freeze_count()")) > 1000


def test_one_thread_is_in_the_template_at_each_fork(serve: Serve, code: Code) -> None:
    code.write(
        """
        FORKS = []
        os.register_at_fork(
            before=lambda: FORKS.append((os.getpid(), len(os.listdir("/proc/self/task")))),
        )
        """
    )
    server = serve(*APP, "--workers", "3", cwd=code.directory)
    template = template_of(server)
    first = set(workers_of(server))
    for pid in first:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(set(workers_of(server)) - first) == 3, "they were not replaced")
    # Whichever of the new ones answers.
    forks = ast.literal_eval(evaluate(server, "FORKS"))
    assert len(forks) >= 4
    assert all(fork == (template, 1) for fork in forks), forks


def test_a_native_thread_of_the_import_is_named_in_a_warning(serve: Serve, code: Code) -> None:
    code.write(NATIVE + "    start_pool()\n")
    server = serve(*APP, "--workers", "2", cwd=code.directory)
    server.log.wait_for(r"warning\].*importing the application started native threads \(1 blas-kernel\)")
    assert len(workers_of(server)) == 2
    assert evaluate(server, "len(os.listdir('/proc/self/task')) > 1") == "True"


def test_threads_of_the_import_are_refused_by_name(code: Code) -> None:
    code.write(
        """
        import threading, time, _thread
        def poll(): time.sleep(60)
        threading.Thread(target=poll, name="metrics", daemon=True).start()
        _thread.start_new_thread(poll, ())
        """
    )
    ended = run(*APP, "--bind", "127.0.0.1:0", cwd=code.directory)
    log = ended.stdout + ended.stderr
    assert ended.returncode == 3, log
    assert "left 2 threads running" in log
    assert "metrics, in poll() of" in log
    assert "a thread without a name, in poll() of" in log


def test_a_reload_with_threads_fails_and_the_server_goes_on(serve: Serve, code: Code) -> None:
    server = serve(*APP, cwd=code.directory)
    before = workers_of(server)
    code.write("import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start()")
    mark = server.log.mark()
    server.send(signal.SIGHUP)
    server.log.wait_for("left a thread running", mark)
    server.log.wait_for("reload given up", mark)
    assert workers_of(server) == before


def test_connections_of_the_import_are_named(serve: Serve, code: Code) -> None:
    with socket.create_server(("127.0.0.1", 0)) as database:
        port = database.getsockname()[1]
        code.write(f"import socket; DATABASE = socket.create_connection(('127.0.0.1', {port}))")
        server = serve(*APP, cwd=code.directory)
        server.log.wait_for(rf"warning\].*connections that all workers would share: 127\.0\.0\.1:{port};")


def test_what_the_import_made_is_removed_once_by_the_template(
    serve: Serve, code: Code, tmp_path: Path
) -> None:
    made = tmp_path / "made"
    made.mkdir()
    code.write(f"import tempfile; KEPT = tempfile.TemporaryDirectory(dir={str(made)!r})")
    server = serve(*APP, "--workers", "2", cwd=code.directory)
    (kept,) = made.iterdir()
    os.kill(workers_of(server)[0], signal.SIGTERM)
    server.log.wait_for(r"exited with code 0 unasked")
    assert kept.exists()
    assert server.stop() == 0
    assert not kept.exists()


def test_handlers_of_signals_come_along(serve: Serve, code: Code) -> None:
    code.write(
        """
        import faulthandler, signal
        faulthandler.enable()
        CAUGHT = []
        signal.signal(signal.SIGUSR2, lambda *_: CAUGHT.append(os.getpid()))
        """
    )
    server = serve(*APP, cwd=code.directory)
    (worker,) = workers_of(server)
    os.kill(worker, signal.SIGUSR2)
    wait_until(lambda: evaluate(server, "CAUGHT") == str([worker]), "the handler did not run")
    assert evaluate(server, "faulthandler.is_enabled()") == "True"
