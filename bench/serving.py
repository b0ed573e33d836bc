"""One server, started for one measurement: directly on a port, or behind nginx by the uwsgi protocol."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import http_client
from bench.child import LOAD_CORE, SERVER_CORE, MeasurementError, last_words, started
from bench.contenders import Contender, Task, tapster_on, uwsgi

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Job:
    """One measurement of one server."""

    contender: Contender
    app: str
    threads: int
    seconds: int
    #: For logs, scripts and sockets; gone after the run.
    folder: Path


@dataclass(frozen=True)
class Serving:
    """A server that has given its first answer."""

    pid: int
    port: int


@contextmanager
def serving(job: Job) -> Generator[Serving]:
    """The server on a port of its own."""
    task = Task(job.app, job.threads, http_client.free_port())
    log = job.folder / f"{job.contender.name}.log"
    with started(job.contender.command(task), SERVER_CORE, log, job.contender.stop) as child:
        try:
            http_client.wait_for_answer(task.port, child)
        except MeasurementError as error:
            raise MeasurementError(f"{error}: {last_words(log)}") from None
        yield Serving(child.pid, task.port)


@contextmanager
def serving_behind_nginx(job: Job) -> Generator[Serving]:
    """The server on a unix socket, nginx in front of it on the core of the load. The number is the server's."""
    socket = job.folder / "app.sock"
    task = Task(job.app, job.threads, http_client.free_port())
    log = job.folder / f"{job.contender.name}.log"
    with started(_on_socket(task, socket, job), SERVER_CORE, log, job.contender.stop) as child:
        deadline = time.monotonic() + http_client.BOOT
        while not socket.is_socket():
            if child.poll() is not None or time.monotonic() > deadline:
                raise MeasurementError(f"made no socket: {last_words(log)}")
            time.sleep(0.001)
        nginx = ["nginx", "-e", "stderr", "-c", str(_nginx_configuration(task.port, socket, job.folder))]
        with started(nginx, LOAD_CORE, job.folder / "nginx.log") as front:
            http_client.wait_for_answer(task.port, front)
            yield Serving(child.pid, task.port)
    socket.unlink(missing_ok=True)


def _on_socket(task: Task, socket: Path, job: Job) -> Sequence[str]:
    if job.contender.name == "tapster":
        return tapster_on(f"unix:{socket}", task)
    return uwsgi(task, "--socket", str(socket))


def _nginx_configuration(port: int, socket: Path, folder: Path) -> Path:
    path = folder / "nginx.conf"
    path.write_text(
        f"""daemon off; worker_processes 1; {"user root;" if os.geteuid() == 0 else ""}
 pid {folder}/nginx.pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location / {{ include /etc/nginx/uwsgi_params; uwsgi_pass unix:{socket}; }}
  }}
}}
""",
        "utf-8",
    )
    return path
