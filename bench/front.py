"""Tapster's front and nginx at the same work: `/files/` from a folder, and everything else from two backends or a cache."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench import http_client
from bench.child import LOAD_CORE, SERVER_CORE, MeasurementError, last_words, started
from bench.contenders import floor, tapster
from bench.serving import Serving

if TYPE_CHECKING:
    from collections.abc import Generator

    from bench.serving import Job

#: Files by name, and their sizes.
FILES = {"1k": 1024, "16k": 16 * 1024, "10m": 10 * 1024 * 1024}

_NGINX = Path(__file__).with_name("nginx_front.conf")

#: Where nginx keeps the answers of its cache: in memory, as Tapster does.
_MEMORY = "/dev/shm"
_CACHED = "proxy_cache answers; proxy_cache_valid 1h;"


@contextmanager
def front(job: Job, cached: bool = False) -> Generator[Serving]:
    """The front of a job's contender, with what it stands before; the number is the front's own.

    With `cached` the backends end after the first answer: every other one is from the cache, or an error.
    """
    files = job.folder / "files"
    files.mkdir()
    for name, size in FILES.items():
        (files / name).write_bytes(os.urandom(size))
    backends = [http_client.free_port(), http_client.free_port()]
    port = http_client.free_port()
    with ExitStack() as stack, ExitStack() as behind:
        for backend in backends:
            log = job.folder / f"backend-{backend}.log"
            child = behind.enter_context(started([str(floor()), str(backend)], LOAD_CORE, log))
            http_client.wait_for_answer(backend, child)
        if job.contender.name == "nginx":
            memory = stack.enter_context(tempfile.TemporaryDirectory(prefix="tapster-bench-", dir=_MEMORY))
            command = _nginx(job.folder, Path(memory), port, backends, cached)
        else:
            command = _tapster(job.folder, port, backends, cached)
        log = job.folder / f"{job.contender.name}.log"
        child = stack.enter_context(started(command, SERVER_CORE, log))
        try:
            http_client.wait_for_answer(port, child)
        except MeasurementError as error:
            raise MeasurementError(f"{error}: {last_words(log)}") from None
        if cached:
            behind.close()
        yield Serving(child.pid, port)


def _tapster(folder: Path, port: int, backends: list[int], cached: bool) -> list[str]:
    command = [*tapster(), "front", "--bind", f"127.0.0.1:{port}", "--static", f"/files/={folder}/files"]
    command += ["--control-socket", "off"]
    for backend in backends:
        command += ["--upstream", f"http://127.0.0.1:{backend}"]
    if cached:
        command += ["--cache", "64MiB", "--cache-path", "/=1h"]
    return command


def _nginx(folder: Path, memory: Path, port: int, backends: list[int], cached: bool) -> list[str]:
    values = {
        "folder": str(folder),
        "memory": str(memory),
        "cached": _CACHED if cached else "",
        "port": str(port),
        "user": "user root;" if os.geteuid() == 0 else "",
        "backends": " ".join(f"server 127.0.0.1:{backend};" for backend in backends),
    }
    text = _NGINX.read_text("utf-8")
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    path = folder / "nginx.conf"
    path.write_text(text, "utf-8")
    return ["nginx", "-e", "stderr", "-c", str(path)]
