"""The functions of a gunicorn.conf.py: each is called where gunicorn would, with what real ones use of server and worker."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from tests.hosts.waiting import wait_until
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve

FILE = """
import os
import helper

workers = 1

def note(*words):
    with open(os.environ["NOTES"], "a") as file:
        print(*words, file=file)

def on_starting(server):
    note("on_starting", server.pid == os.getpid(), server.cfg.workers, server.address[0][0], helper.VERSION)
    server.log.info("starting %s workers", server.num_workers)

def nworkers_changed(server, new, old): note("nworkers_changed", new, old)
def when_ready(server): note("when_ready")
def pre_fork(server, worker): note("pre_fork", worker.pid)
def post_fork(server, worker):
    note("post_fork", worker.pid == os.getpid(), worker.ppid == server.pid, worker.age)
    worker.log.info("worker %s", worker.pid)
def post_worker_init(worker): note("post_worker_init", worker.booted)
def pre_request(worker, req): note("pre_request", worker.nr, req.method, req.path, req.query)
def post_request(worker, req, environ, resp): note("post_request", resp.status, resp.sent, environ["PATH_INFO"])
def worker_int(worker): note("worker_int", worker.pid == os.getpid())
def worker_exit(server, worker): note("worker_exit", worker.pid == os.getpid())
def child_exit(server, worker): note("child_exit", worker.pid)
def on_reload(server): note("on_reload")
def on_exit(server): note("on_exit", len(server.WORKERS))
"""

APP = """
import os

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""


class Project:
    """An application with a gunicorn.conf.py, and the notes of its functions."""

    def __init__(self, directory: Path, file: str = FILE) -> None:
        self.directory = directory
        self.notes = directory / "notes"
        self.env = {"NOTES": str(self.notes)}
        (directory / "gunicorn.conf.py").write_text(file)
        (directory / "app.py").write_text(APP)
        (directory / "helper.py").write_text("VERSION = 1\n")

    def lines(self) -> list[str]:
        return self.notes.read_text().splitlines() if self.notes.exists() else []

    def wait_for(self, line: str) -> None:
        wait_until(lambda: line in self.lines(), f"{line} in {self.lines()}")


def test_every_function_is_called_where_it_belongs(serve: Serve, tmp_path: Path) -> None:
    project = Project(tmp_path)
    server = serve("gunicorn", "app:app", cwd=tmp_path, env=project.env)
    answer = exchange(server.address, http_request(target="/page?a=1"))
    worker = int(answer.body)
    project.wait_for(f"post_request 200 OK {len(answer.body)} /page")
    server.log.wait_for("starting 1 workers")
    server.log.wait_for(f"worker {worker}")
    os.kill(worker, signal.SIGINT)
    project.wait_for("worker_int True")
    server.stop()
    project.wait_for("on_exit 0")
    assert project.lines() == [
        "nworkers_changed 1 None",
        "on_starting True 1 127.0.0.1 1",
        "when_ready",
        "pre_fork [booting]",
        "post_fork True True 1",
        "post_worker_init True",
        "pre_request 0 GET /page a=1",
        f"post_request 200 OK {len(answer.body)} /page",
        "worker_int True",
        "worker_exit True",
        f"child_exit {worker}",
        "on_exit 0",
    ]


def test_a_reload_executes_the_file_anew(serve: Serve, tmp_path: Path) -> None:
    project = Project(tmp_path)
    server = serve("gunicorn", "app:app", cwd=tmp_path, env=project.env)
    changed = FILE.replace('note("on_reload")', 'note("on_reload", helper.VERSION)')
    (tmp_path / "gunicorn.conf.py").write_text(changed)
    (tmp_path / "helper.py").write_text("VERSION = 22\n")
    server.reload()
    project.wait_for("on_reload 22")


def test_a_function_that_raises_at_the_start_stops_it(tmp_path: Path) -> None:
    from tests.server import run

    Project(tmp_path, "def on_starting(server):\n    raise RuntimeError('planned, no database')\n")
    ended = run("gunicorn", "-b", "127.0.0.1:0", "app:app", cwd=tmp_path)
    assert ended.returncode == 1
    assert "gunicorn.conf.py: RuntimeError: planned, no database" in ended.stderr + ended.stdout


def test_functions_of_a_preloaded_application(serve: Serve, tmp_path: Path) -> None:
    project = Project(tmp_path)
    server = serve("gunicorn", "--preload", "app:app", cwd=tmp_path, env=project.env)
    exchange(server.address, http_request())
    project.wait_for("post_worker_init True")
    server.stop()
    project.wait_for("worker_exit True")
    project.wait_for("on_exit 0")


def test_logging_is_configured_before_the_application(serve: Serve, tmp_path: Path) -> None:
    project = Project(
        tmp_path,
        "logconfig_dict = {'version': 1, 'formatters': {'f': {'format': 'FORMATTED %(message)s'}},"
        " 'handlers': {'h': {'class': 'logging.StreamHandler', 'formatter': 'f'}},"
        " 'root': {'level': 'INFO', 'handlers': ['h']}}\n",
    )
    (tmp_path / "app.py").write_text("import logging\nlogging.getLogger('shop').info('imported')\n" + APP)
    server = serve("gunicorn", "app:app", cwd=tmp_path, env=project.env)
    server.log.wait_for("FORMATTED imported")
