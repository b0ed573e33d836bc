"""Configurations of gunicorn as projects have them: each serves as it would there, or stops and says what to do.

Run by `make test`; `test_gunicorn_beside.py` asks gunicorn itself the same.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.server import run
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve

APP = """
import os

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    words = [environ["wsgi.multithread"], environ["wsgi.multiprocess"], environ["wsgi.url_scheme"]]
    words += [environ["REMOTE_ADDR"], os.environ.get("COLOR", "-")]
    return [" ".join(map(str, words)).encode()]

def make(name="x"):
    return application
"""


class Case(NamedTuple):
    """A configuration that serves."""

    line: str
    """What stands behind `tapster gunicorn`; the address is put behind it."""
    file: str = ""
    """gunicorn.conf.py."""
    environment: str = ""
    """GUNICORN_CMD_ARGS."""
    said: str = "1 worker . 1 thread"
    """Part of the log."""
    answer: str = "False False http 127.0.0.1 -"


SERVED = {
    "a command line without flags": Case("app"),
    "sync workers": Case("-w 2 app", said="2 workers . 1 thread", answer="False True http 127.0.0.1 -"),
    "threads in each worker": Case(
        "-k gthread --threads 4 app:application",
        said="1 worker . 4 threads",
        answer="True False http 127.0.0.1 -",
    ),
    "threads of the class sync": Case(
        "--threads=2 app", said="1 worker . 2 threads", answer="True False http 127.0.0.1 -"
    ),
    "a factory": Case("app:make()"),
    "a factory with an argument": Case("app:make(name='y')"),
    "flags in the variable": Case(
        "app",
        environment="-w 2 --env 'COLOR=light green'",
        said="2 workers",
        answer="False True http 127.0.0.1 light green",
    ),
    "a file": Case(
        "app",
        "import multiprocessing\nworkers = min(2, multiprocessing.cpu_count() * 2 + 1)\nworker_class = 'gthread'\nthreads = 3\n",
        said="2 workers . 3 threads",
        answer="True True http 127.0.0.1 -",
    ),
    "flags are stronger than the file": Case("-w 1 app", "workers = 4\nthreads = 1\n"),
    "the application in the file": Case(
        "",
        "wsgi_app = 'app:application'\nraw_env = ['COLOR=red']\n",
        answer="False False http 127.0.0.1 red",
    ),
    "a file that names itself": Case(
        "-c file:gunicorn.conf.py app", "timeout = '60'\n", said="timeout 60: a request may take 60 s"
    ),
    "the heartbeat": Case(
        "app",
        "timeout = 120\nthreads = 2\n",
        said="timeout 120: the heartbeat",
        answer="True False http 127.0.0.1 -",
    ),
    "what needs nothing": Case(
        "app",
        "worker_tmp_dir = '/dev/shm'\nsendfile = False\nreuse_port = True\n",
        said="worker_tmp_dir: not needed; there are no heartbeat files",
    ),
    "a name that is nearly one": Case("app", "worker = 4\n", said="did you mean workers\\?"),
    "everybody is trusted": Case("--forwarded-allow-ips=* app", answer="False False https 127.0.0.1 -"),
    "preloaded": Case("--preload -w 2 app", said="2 workers", answer="False True http 127.0.0.1 -"),
    "an access log": Case(
        "--access-logfile - app", "access_log_format = 'LINE %(m)s %(U)s %(s)s'\n", said="LINE GET / 200"
    ),
    "greenlets with threads": Case(
        "-k gevent --threads 8 app",
        said="gevent: requests run in threads, 8",
        answer="True False http 127.0.0.1 -",
    ),
    "replaced workers": Case("--max-requests 1000 --max-requests-jitter 50 app"),
    "a logger of the application": Case(
        "app",
        "logconfig_dict = {'version': 1, 'root': {'level': 'INFO', 'handlers': []}}\nloglevel = 'debug'\ncapture_output = True\n",
        said="capture_output: not needed",
    ),
    "limits": Case(
        "--limit-request-line 8190 --limit-request-field_size 16380 --keep-alive 5 --graceful-timeout 10 app"
    ),
}


def fields(name: str) -> dict[str, str]:
    """What the request of this case says besides."""
    return {"X-Forwarded-Proto": "https", "X-Forwarded-For": "10.1.2.3"} if "trusted" in name else {}


@pytest.mark.parametrize("name", SERVED)
def test_it_serves(serve: Serve, tmp_path: Path, name: str) -> None:
    case = SERVED[name]
    (tmp_path / "app.py").write_text(APP)
    if case.file:
        (tmp_path / "gunicorn.conf.py").write_text(case.file)
    line = case.line.split(" ") if case.line else []
    server = serve("gunicorn", *line, cwd=tmp_path, env={"GUNICORN_CMD_ARGS": case.environment})
    answer = exchange(server.address, http_request(fields=fields(name)))
    assert answer.body.decode() == case.answer
    server.log.wait_for(case.said)


STOPPED = {
    "daemon": ("-D app", "", "leave it out and run it under systemd"),
    "uvicorn": ("-k uvicorn.workers.UvicornWorker app", "", "serves ASGI applications"),
    "greenlets": ("-k gevent app", "", "write threads, as many as requests are to run at once"),
    "a class of its own": (
        "app",
        "class Mine:\n    pass\nworker_class = Mine\n",
        "gunicorn.conf.py:1: worker_class|gunicorn.conf.py:3: worker_class",
    ),
    "a typo": ("--worker 2 --wrokers 3 app", "", "--worker may mean|did you mean --workers"),
    "a wrong type": ("app", "workers = 'many'\n", "gunicorn.conf.py:1: workers: expected a whole number"),
    "a file with a mistake": (
        "app",
        "workers = 1 +\n",
        "gunicorn's configuration cannot be executed: SyntaxError",
    ),
    "a file that raises": ("app", "import os\nworkers = int(os.environ['NO_SUCH'])\n", "KeyError: 'NO_SUCH'"),
    "a file that is not there": ("-c missing.py app", "", "-c missing.py: there is no such file"),
    "a thread": (
        "app",
        "import threading, time\nthreading.Thread(target=time.sleep, args=(3,), daemon=True).start()\n",
        "left a thread behind",
    ),
    "an SSL context": (
        "app",
        "def ssl_context(conf, default):\n    return default()\n",
        "gunicorn.conf.py:1: ssl_context",
    ),
    "paste": ("--paste development.ini", "", "paste.deploy.loadapp"),
    "lenient parsing": ("--permit-obsolete-folding app", "", "requests are read strictly"),
}


@pytest.mark.parametrize("name", STOPPED)
def test_it_stops_and_says_what_to_do(tmp_path: Path, name: str) -> None:
    line, file, said = STOPPED[name]
    (tmp_path / "app.py").write_text(APP)
    if file:
        (tmp_path / "gunicorn.conf.py").write_text(file)
    ended = run("gunicorn", *line.split(" "), cwd=tmp_path)
    assert ended.returncode == 2, ended
    assert re.search(said, ended.stderr), ended.stderr


def test_values_are_shown_with_where_they_were_written(tmp_path: Path) -> None:
    (tmp_path / "gunicorn.conf.py").write_text("import os\n\nworkers = 2\nif True:\n    threads = 4\n")
    shown = run("config", "show", "gunicorn", "-b", ":8123", "app", cwd=tmp_path).stdout
    assert re.search(r"^workers +2 +gunicorn\.conf\.py:3$", shown, re.M)
    assert re.search(r"^threads +4 +gunicorn\.conf\.py:5$", shown, re.M)
    assert re.search(r"^bind +:8123 +command line, -b$", shown, re.M)


def test_a_unix_socket_has_the_mode_of_the_umask(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    serve("gunicorn", "--umask", "007", "--bind", "unix:web.sock", "app", cwd=tmp_path)
    assert (tmp_path / "web.sock").stat().st_mode & 0o777 == 0o770
