"""--hooks: the operator's functions in the supervisor; tapster.on_fork, on_exit and worker_id in the application."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.hosts.waiting import wait_until
from tests.server import Server
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve

HOOKS = """
import os, helper

def note(*words):
    with open(os.environ["NOTES"], "a") as file:
        print(*words, os.getpid(), helper.VERSION, file=file)

def on_start(): note("on_start")
def pre_fork(): note("pre_fork")
def post_fork(worker): note("post_fork", worker)
def worker_ready(worker, pid): note("worker_ready", worker, pid)
def worker_exit(worker, pid, how): note("worker_exit", worker, pid, how.replace(" ", "-"))
def on_reload(): note("on_reload")
def on_stop(): note("on_stop")
"""

APP = """
import os, helper, tapster

forked = []

@tapster.on_fork
def first():
    forked.append(f"first-{tapster.worker_id()}")

tapster.on_fork(lambda: forked.append("second"))

@tapster.on_exit
def last():
    with open(os.environ["NOTES"], "a") as file:
        print("on_exit", tapster.worker_id(), file=file)

@tapster.on_exit
def broken():
    raise RuntimeError("planned, on_exit")

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{tapster.worker_id()} {' '.join(forked)} {helper.VERSION} {os.getppid()}".encode()]
"""


GOSSIP = """
import threading, time
thread = threading.Thread(target=time.sleep, args=(5,), name="gossip", daemon=True)
"""


class Site:
    """A project with hooks beside its application, and the notes that they take."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.notes = directory / "notes"
        self.env = {"NOTES": str(self.notes)}
        (directory / "site_hooks.py").write_text(HOOKS)
        (directory / "app.py").write_text(APP)
        self.version(1)

    def version(self, number: int) -> None:
        """What hooks and application import alike."""
        (self.directory / "helper.py").write_text(f"VERSION = 'v{number}'\n")

    def noted(self, *words: object) -> list[str]:
        """Notes that begin with these words."""
        text = self.notes.read_text() if self.notes.exists() else ""
        return [line for line in text.splitlines() if line.startswith(" ".join(map(str, words)))]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def start(serve: Serve, site: Site, *arguments: str) -> Server:
    return serve("app:app", "--hooks", "site_hooks", *arguments, cwd=site.directory, env=site.env)


def test_the_life_of_a_server(serve: Serve, site: Site) -> None:
    server = start(serve, site, "--workers", "2")
    server.allow("planned")
    assert site.noted("on_start") == [f"on_start {server.pid} v1"]
    wait_until(lambda: len(site.noted("worker_ready")) == 2, "both are noted")
    workers = server.worker_pids()
    assert sorted(int(line.split()[2]) for line in site.noted("worker_ready")) == workers
    assert sorted(int(line.split()[2]) for line in site.noted("post_fork")) == workers, "in the workers"
    assert len(site.noted("pre_fork")) == 2
    os.kill(workers[0], signal.SIGKILL)
    wait_until(lambda: site.noted("worker_exit") != [], "the end is noted")
    assert site.noted("worker_exit")[0].split()[2:4] == [str(workers[0]), "was-killed-by-SIGKILL"]
    site.version(2)
    server.reload()
    server.log.wait_for("reloaded in")
    assert [line.split()[-1] for line in site.noted("on_reload")] == ["v2"], "hooks are loaded anew"
    answer = exchange(server.address, http_request(target="/")).body.decode().split()
    assert answer[-2:] == ["v2", str(server.pid)], "the application imports its own modules anew"
    assert server.stop() == 0
    assert len(site.noted("on_stop")) == 1
    assert all(line.split()[-2] == str(server.pid) for line in site.noted("worker_exit"))


def test_before_and_after_each_fork_of_a_template(serve: Serve, site: Site) -> None:
    """As without a template: once for each worker."""
    server = start(serve, site, "--workers", "2", "--preload")
    server.allow("planned")
    wait_until(lambda: len(site.noted("worker_ready")) == 2, "both are noted")
    workers = [line.split()[2] for line in site.noted("worker_ready")]
    assert sorted(line.split()[2] for line in site.noted("post_fork")) == sorted(workers), "in the workers"
    assert [line.split()[1] for line in site.noted("pre_fork")] == [str(server.pid)] * 2


def test_a_worker_that_becomes_the_template_ends_as_a_worker(serve: Serve, site: Site) -> None:
    server = start(serve, site, "--preload", "--refork-after", "3")
    server.allow("planned")
    for _ in range(5):
        exchange(server.address, http_request(target="/"))
    server.log.wait_for("all workers are forks of the new template")
    first = site.noted("worker_ready")[0].split()[2]
    ends = [line.split()[2:4] for line in site.noted("worker_exit")]
    assert [first, "became-the-template"] in ends
    assert server.stop() == 0


def test_the_applications_functions(serve: Serve, site: Site) -> None:
    server = start(serve, site, "--workers", "2")
    server.allow("planned, on_exit")
    answer = exchange(server.address, http_request(target="/")).body.decode().split()
    assert answer[1:3] == [f"first-{answer[0]}", "second"]
    assert answer[0] in ("1", "2")
    assert server.stop() == 0
    assert sorted(site.noted("on_exit")) == ["on_exit 1", "on_exit 2"]
    assert len(server.log.find("planned, on_exit")) >= 2


def test_a_worker_whose_on_fork_fails_does_not_serve(site: Site) -> None:
    broken = "import tapster\ntapster.on_fork(lambda: 1 / 0)\ndef app(environ, start_response): ...\n"
    (site.directory / "app.py").write_text(broken)
    with Server("app:app", "--bind", "127.0.0.1:0", cwd=site.directory) as server:
        server.allow("ZeroDivisionError")
        assert server.wait() == 3
        server.log.wait_for("tapster.on_fork")
        server.log.wait_for("ZeroDivisionError")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def on_start(): raise RuntimeError('planned, in on_start')\n", "planned, in on_start"),
        ("raise RuntimeError('planned, at import')\n", "planned, at import"),
        (GOSSIP + "def on_start(): thread.start()\n", "on_start left a thread behind: gossip"),
        (GOSSIP + "thread.start()\n", "the module site_hooks left a thread behind: gossip"),
        ("", None),
    ],
    ids=["raises", "cannot-be-imported", "thread", "thread-at-import", "missing"],
)
def test_what_refuses_the_start(site: Site, text: str, said: str | None) -> None:
    hooks = site.directory / "site_hooks.py"
    hooks.write_text(text) if said else hooks.unlink()
    arguments = ["--hooks", "site_hooks", "--bind", f"unix:{site.directory}/s"]
    with Server("app:app", *arguments, cwd=site.directory, env=site.env) as server:
        assert server.wait() == 1
        server.log.wait_for("--hooks site_hooks: .*" + (said or "there is no module site_hooks"))
        assert not (site.directory / "s").exists()
        assert not server.log.find("listening")


def test_what_a_hook_raises_later_is_logged_and_stops_nobody(serve: Serve, site: Site) -> None:
    site.directory.joinpath("site_hooks.py").write_text(
        "def worker_ready(worker, pid): raise SystemExit('planned, in worker_ready')\n"
        "def on_stop(): raise RuntimeError('planned, in on_stop')\n"
    )
    server = start(serve, site)
    server.log.wait_for("--hooks, worker_ready: SystemExit: planned")
    site.directory.joinpath("site_hooks.py").write_text("planned syntax error")
    server.reload()
    server.log.wait_for("--hooks, those of before stay.*SyntaxError")
    server.allow("SyntaxError")
    assert exchange(server.address, http_request(target="/")).status == 200
    server.allow("planned")
    assert server.stop() == 0
    server.log.wait_for("planned, in on_stop")


def test_a_thread_that_a_hook_leaves_is_named(serve: Serve, site: Site) -> None:
    site.directory.joinpath("site_hooks.py").write_text(GOSSIP + "def on_reload(): thread.start()\n")
    server = start(serve, site)
    server.allow("planned")
    server.send(signal.SIGHUP)
    server.log.wait_for("--hooks, on_reload: on_reload left a thread behind: gossip")
    assert exchange(server.address, http_request(target="/")).status == 200
