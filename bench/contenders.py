"""The servers that are compared: how each is started for its best in a scenario, and what must be installed for it."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What is installed beside the interpreter that runs this.
_BIN = Path(sys.executable).parent

#: The rooms a server belongs to.
SINGLE, THREADED, FLOOR, FRONT = "single-threaded", "threaded", "floor", "front"


@dataclass(frozen=True)
class Task:
    """What a server is to do: serve `app` with so many threads on a port of 127.0.0.1."""

    app: str
    threads: int
    port: int

    @property
    def spec(self) -> str:
        """The application as most servers are told of it."""
        return f"{self.app}:app"

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"


@dataclass(frozen=True)
class Contender:
    """One server."""

    name: str
    #: The distribution that it comes from, as PyPI knows it; empty for our own.
    package: str
    command: Callable[[Task], Sequence[str]]
    #: Its room, by the number of threads that it is asked for.
    room: Callable[[int], str]
    stop: signal.Signals = signal.SIGTERM

    def version(self) -> str | None:
        """The installed version; none if it is not installed."""
        if not self.package:
            return ""
        try:
            return metadata.version(self.package)
        except metadata.PackageNotFoundError:
            return None


def tapster() -> list[str]:
    """The command under test: TAPSTER, or what is installed beside this interpreter."""
    return shlex.split(os.environ.get("TAPSTER", "")) or [str(_BIN / "tapster")]


def tapster_on(bind: str, task: Task) -> list[str]:
    """Tapster at an address."""
    return [*tapster(), task.spec, "--bind", bind, "--workers", "1", "--threads", str(task.threads)]


def uwsgi(task: Task, *socket: str) -> list[str]:
    """uWSGI with a socket; a pool only when threads are asked for."""
    pool = ["--threads", str(task.threads)] if task.threads > 1 else []
    command = [str(_BIN / "uwsgi"), *socket, "--module", task.spec, "--master", "--disable-logging"]
    return [*command, "--enable-threads", *pool]


def floor() -> Path:
    """The compiled floor.c."""
    return Path(os.environ.get("BENCH_FLOOR", _BIN.parent / "floor"))


def _script(code: str) -> Callable[[Task], list[str]]:
    """A server that is a library: a line of Python calls it."""
    return lambda task: [sys.executable, "-c", code.format(app=task.app, port=task.port)]


def _granian(task: Task) -> list[str]:
    command = [
        str(_BIN / "granian"),
        "--interface",
        "wsgi",
        "--port",
        str(task.port),
        "--workers",
        "1",
        "--no-ws",
    ]
    return [*command, "--blocking-threads", str(task.threads), task.spec]


def _gunicorn(task: Task) -> list[str]:
    command = [str(_BIN / "gunicorn"), "-k", "gthread", "--threads", str(max(task.threads, 4)), "-w", "1"]
    return [*command, "-b", task.address, "--log-level", "error", task.spec]


def _waitress(task: Task) -> list[str]:
    threads = f"--threads={max(task.threads, 4)}"
    return [str(_BIN / "waitress-serve"), f"--listen={task.address}", threads, task.spec]


def _peregrine(task: Task) -> list[str]:
    """On its loop with one thread, with a pool when threads are asked for."""
    pool = ["--wsgi-threads", str(task.threads)] if task.threads > 1 else []
    command = [str(_BIN / "peregrine"), "--protocol", "wsgi", "--host", "127.0.0.1", "--port", str(task.port)]
    return [*command, "--log-level", "error", *pool, task.spec]


def _m0serve(task: Task) -> list[str]:
    """Likewise."""
    threads = str(task.threads if task.threads > 1 else 0)
    command = [str(_BIN / "m0serve"), "--protocol", "wsgi", "--host", "127.0.0.1", "--port", str(task.port)]
    return [*command, "--blocking-threads", threads, task.spec]


def _single(_threads: int) -> str:
    return SINGLE


def _threaded(_threads: int) -> str:
    return THREADED


def _either(threads: int) -> str:
    return THREADED if threads > 1 else SINGLE


_BJOERN = "import bjoern; from {app} import app; bjoern.run(app, '127.0.0.1', {port})"
_FASTWSGI = (
    "import fastwsgi; from {app} import app; fastwsgi.run(app, host='127.0.0.1', port={port}, loglevel=0)"
)
_FREASTAL = "import freastal; from {app} import app; freastal.serve(app, host='127.0.0.1', port={port})"

CONTENDERS: dict[str, Contender] = {
    one.name: one
    for one in (
        Contender("tapster", "", lambda task: tapster_on(task.address, task), _threaded),
        Contender("granian", "granian", _granian, _threaded),
        # TERM makes it reload.
        Contender(
            "uwsgi",
            "uwsgi",
            lambda task: uwsgi(task, "--http11-socket", task.address),
            _threaded,
            signal.SIGINT,
        ),
        Contender("gunicorn", "gunicorn", _gunicorn, _threaded),
        Contender("waitress", "waitress", _waitress, _threaded),
        Contender("bjoern", "bjoern", _script(_BJOERN), _single),
        Contender("fastwsgi", "fastwsgi", _script(_FASTWSGI), _single),
        Contender("freastal", "freastal", _script(_FREASTAL), _single),
        Contender("peregrine", "peregrine-server", _peregrine, _either),
        Contender("m0serve", "m0serve", _m0serve, _either),
        # Started by front.py, which knows what it stands before.
        Contender("nginx", "", lambda _task: ["nginx"], lambda _threads: FRONT),
        Contender("floor", "", lambda task: [str(floor()), str(task.port)], lambda _threads: FLOOR),
    )
}
