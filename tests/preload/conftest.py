"""Applications whose import is to be seen, and the processes of a server with a template."""

from __future__ import annotations

import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Callable
from urllib.parse import quote

import pytest

from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from tests.server import Server

TEMPLATE = "tapster-preload"


NATIVE = """
    import ctypes
    libc = ctypes.CDLL(None)
    def start_pool():
        thread = ctypes.c_ulong()
        libc.pthread_create(ctypes.byref(thread), None, libc.pause, None)
        libc.pthread_setname_np(thread, b"blas-kernel")
"""
"""Code with a function that starts a thread of which Python knows nothing."""


class Code:
    """A directory with an application that says who imported it; the test adds lines to it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.write()

    def write(self, extra: str = "", version: str = "1") -> None:
        """`/` answers with the version, the process that imported and the one that answers; `/eval?TEXT` evaluates."""
        text = f"""
            import os
            from urllib.parse import unquote

            VERSION, IMPORTED_BY = {version!r}, os.getpid()

            def app(environ, start_response):
                text = f"{{VERSION}} {{IMPORTED_BY}} {{os.getpid()}}"
                if environ["PATH_INFO"] == "/eval":
                    text = str(eval(unquote(environ["QUERY_STRING"]), globals()))
                start_response("200 OK", [("Content-Type", "text/plain")])
                return [text.encode()]
            """
        new = self.directory / "code.new"
        new.write_text(textwrap.dedent(text) + textwrap.dedent(extra))
        new.rename(self.directory / "preloaded.py")


@pytest.fixture
def code(tmp_path: Path) -> Code:
    """The code of one test."""
    directory = tmp_path / "code"
    directory.mkdir()
    return Code(directory)


def evaluate(server: Server, text: str) -> str:
    """The value of an expression in the worker that answers."""
    return exchange(server.address, http_request(target=f"/eval?{quote(text)}")).body.decode()


def name_of(pid: int) -> str:
    """What `ps` calls a process; nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def template_of(server: Server) -> int:
    """The one process that imported the application, as soon as there is one."""
    deadline = time.monotonic() + 20
    while len(found := [pid for pid in server.worker_pids() if name_of(pid) == TEMPLATE]) != 1:
        assert time.monotonic() < deadline, f"templates: {found}"
        time.sleep(0.01)
    return found[0]


def workers_of(server: Server) -> list[int]:
    """The processes that serve."""
    return [pid for pid in server.worker_pids() if name_of(pid) not in (TEMPLATE, "")]


def wait_until(holds: Callable[[], bool], what: str, timeout: float = 20.0) -> None:
    """Asks again and again."""
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)
