"""Workers are forked from one import; a reload imports anew; a template that dies is made anew."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.load import Load
from tests.preload.conftest import name_of, template_of, wait_until, workers_of
from tests.server import Server, run, wait_gone
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve
    from tests.preload.conftest import Code

APP = ("preloaded:app", "--preload", "--log-level", "debug")


def answer(server: Server) -> tuple[str, int, int]:
    """Version, importing process, answering process."""
    version, imported_by, pid = exchange(server.address, http_request()).body.decode().split()
    return version, int(imported_by), int(pid)


def test_workers_are_children_of_the_supervisor_and_imported_nothing(serve: Serve, code: Code) -> None:
    server = serve(*APP, "--workers", "3", cwd=code.directory)
    template, workers = template_of(server), workers_of(server)
    assert len(workers) == 3
    for _ in range(20):
        _, imported_by, pid = answer(server)
        assert imported_by == template
        assert pid in workers
    assert sum("] serving preloaded:app" in line for line in server.log.lines()) == 1
    assert server.stop() == 0
    assert not any(name_of(pid).startswith("tapster") for pid in [template, *workers])


def test_without_the_option_there_is_no_template(serve: Serve, code: Code) -> None:
    server = serve("preloaded:app", "--workers", "2", cwd=code.directory)
    assert len(server.worker_pids()) == len(workers_of(server)) == 2
    _, imported_by, pid = answer(server)
    assert imported_by == pid


def test_a_reload_loads_new_code_and_loses_nothing(serve: Serve, code: Code) -> None:
    server = serve("versioned:app", "--preload", "--workers", "2", cwd=versioned(code, "1"))
    template = template_of(server)
    with Load(server.address) as load:
        for version in ("2", "3"):
            versioned(code, version)
            server.reload()
            load.wait_for(50)
            body = exchange(server.address, http_request(target="/version")).body
            assert body.decode() == version
    assert load.tally.failures == []
    assert template_of(server) != template
    assert len(workers_of(server)) == 2


def versioned(code: Code, version: str) -> Path:
    """The application of the load tests, which also tells its version."""
    from tests.process.conftest import Project

    Project(code.directory).write(version)
    return code.directory


@pytest.mark.parametrize(
    "extra",
    ["raise RuntimeError('planned')", "import os; os._exit(3)", "import os; os.kill(os.getpid(), 11)"],
    ids=["raises", "exits", "crashes"],
)
def test_a_broken_reload_leaves_template_and_workers(serve: Serve, code: Code, extra: str) -> None:
    server = serve(*APP, "--workers", "2", cwd=code.directory)
    before = (template_of(server), workers_of(server))
    code.write(extra, version="2")
    mark = server.log.mark()
    server.send(signal.SIGHUP)
    server.log.wait_for("reload given up", mark)
    assert (template_of(server), workers_of(server)) == before
    assert answer(server)[0] == "1"
    # The former template still forks.
    os.kill(before[1][0], signal.SIGKILL)
    wait_until(
        lambda: len(workers_of(server)) == 2 and before[1][0] not in workers_of(server), "no new worker"
    )
    assert answer(server)[0] == "1"
    code.write(version="3")
    server.reload()
    assert answer(server)[0] == "3"


def test_the_first_import_that_fails_ends_the_server(code: Code) -> None:
    code.write("raise RuntimeError('planned')")
    ended = run(*APP, "--workers", "3", "--bind", "127.0.0.1:0", cwd=code.directory)
    assert ended.returncode == 3
    log = ended.stdout + ended.stderr
    assert log.count("RuntimeError: planned") == 2  # The first line, and the traceback once.
    assert "the template" in log


def test_a_template_that_dies_is_made_anew_and_nobody_notices(serve: Serve, code: Code) -> None:
    server = serve(*APP, "--workers", "2", cwd=code.directory)
    old, workers = template_of(server), workers_of(server)
    mark = server.log.mark()
    os.kill(old, signal.SIGKILL)
    server.log.wait_for(r"the template .* ready after", mark)
    assert template_of(server) != old
    assert workers_of(server) == workers
    os.kill(workers[0], signal.SIGKILL)
    wait_until(lambda: len(set(workers_of(server)) - {workers[0]}) == 2, "no new worker")
    (new,) = set(workers_of(server)) - set(workers)
    server.log.wait_for(rf"pid {new}\) ready", mark)


def test_workers_that_crash_together_are_all_replaced(serve: Serve, code: Code) -> None:
    server = serve(*APP, "--workers", "4", cwd=code.directory)
    for _ in range(3):
        old = workers_of(server)
        for pid in [template_of(server), *old]:
            os.kill(pid, signal.SIGKILL)
        wait_until(
            lambda old=old: len(workers_of(server)) == 4 and not set(old) & set(workers_of(server)),
            "not all replaced",
        )
    answer(server)


def test_a_killed_supervisor_leaves_nobody(serve: Serve, code: Code) -> None:
    server = serve(*APP, "--workers", "2", cwd=code.directory)
    server.allow("supervisor is gone")
    pids = server.worker_pids()
    server.send(signal.SIGKILL)
    wait_gone(pids, 5.0)


def test_a_worker_dies_with_its_supervisor_by_the_system_too(serve: Serve, code: Code) -> None:
    """PDEATHSIG: cleared by each fork, bound to the parent of the moment, kept by the thread that asked for it."""
    server = serve(*APP, "--threads", "1", cwd=code.directory)
    text = (
        "(lambda c, b: (c.CDLL(None).prctl(2, c.byref(b), 0, 0, 0), b.value)[1])"
        "(*(lambda c: (c, c.c_int(0)))(__import__('ctypes')))"
    )
    body = exchange(server.address, http_request(target=f"/eval?{text}".replace(" ", "%20"))).body
    assert int(body) == signal.SIGTERM


@pytest.mark.parametrize("times", [1, 2])
def test_a_stop_during_the_import_is_quick(code: Code, times: int) -> None:
    code.write("import time; print('importing', flush=True); time.sleep(60)")
    with Server(*APP, "--bind", "127.0.0.1:0", cwd=code.directory) as server:
        server.log.wait_for("importing", 0)
        for _ in range(times):
            server.send(signal.SIGTERM)
        assert server.wait() == 0


def test_a_second_reload_during_the_import_brings_the_newest_code(serve: Serve, code: Code) -> None:
    server = serve(*APP, "--workers", "2", cwd=code.directory)
    code.write("import time; print('importing', flush=True); time.sleep(60)", version="2")
    mark = server.log.mark()
    server.send(signal.SIGHUP)
    server.log.wait_for("importing", mark)
    code.write(version="3")
    server.reload()
    assert answer(server)[0] == "3"
    assert sum("reloaded in" in line for line in server.log.lines(mark)) == 1
