"""For the tests of the sandbox: tries what it should not be able to do, and says what came of each attempt.

Nothing here does harm where there is no sandbox: what is mounted has no place to go, what is signalled hears nothing.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import tapster
from routing import answer, query, routed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

PLACE = Path(os.environ["PLACE"])
"""A directory that is nobody's temporary one."""

C = ctypes.CDLL(None, use_errno=True)
NOWHERE = b"/nowhere/at/all"


def called(result: int) -> None:
    """Raises what a call into C left behind."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def overwrite() -> None:
    (PLACE / "kept").write_text("changed")


def read() -> None:
    assert (PLACE / "kept").read_text() == "as it was"


def bind_tcp() -> None:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))


def connect_tcp() -> None:
    with socket.create_connection(("127.0.0.1", int(os.environ["NEIGHBOUR"]))):
        pass


def bind_unix() -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(PLACE / "socket"))


def temporary() -> None:
    with tempfile.NamedTemporaryFile("w+") as file, tempfile.TemporaryDirectory() as folder:
        file.write("x")
        file.truncate(0)
        (Path(folder) / "a").write_text("a")
        (Path(folder) / "b").mkdir()
        (Path(folder) / "a").rename(Path(folder) / "b" / "a")


def to_nothing() -> None:
    subprocess.run(["true"], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=True)


def child_writes() -> None:
    """A program that it starts is no way out."""
    command = ["sh", "-c", 'echo x > "$0"', str(PLACE / "kept")]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise PermissionError(errno.EACCES, done.stderr.decode())


ATTEMPTS: dict[str, Callable[[], object]] = {
    "read": read,
    "list": lambda: os.listdir(PLACE),
    "overwrite": overwrite,
    "create": lambda: (PLACE / "new").touch(),
    "remove": lambda: (PLACE / "removable").unlink(),
    "truncate": lambda: os.truncate(PLACE / "kept", 0),
    "rename": lambda: (PLACE / "removable").rename(PLACE / "renamed"),
    "make-directory": lambda: (PLACE / "folder").mkdir(),
    "named": lambda: (PLACE / "open" / "file").write_text("x"),
    "child-writes": child_writes,
    "temporary": temporary,
    "lock": multiprocessing.Lock,
    "to-nothing": to_nothing,
    "bind-tcp": bind_tcp,
    "bind-unix": bind_unix,
    "connect-tcp": connect_tcp,
    "signal-itself": lambda: os.kill(os.getpid(), 0),
    "signal-supervisor": lambda: os.kill(os.getppid(), signal.SIGCONT),
    "mount": lambda: called(C.mount(b"none", NOWHERE, b"tmpfs", 0, None)),
    "unmount": lambda: called(C.umount2(NOWHERE, 0)),
    "swap": lambda: called(C.swapoff(NOWHERE)),
    "trace": lambda: called(C.ptrace(16, -1, None, None)),
    "read-process": lambda: called(C.process_vm_readv(os.getpid(), None, 0, None, 0, 0)),
}


def outcome(name: str) -> str:
    """`done`, or the name of the error."""
    try:
        ATTEMPTS[name]()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, repr(error))
    return "done"


AT_IMPORT = {"pid": str(os.getpid()), **{name: outcome(name) for name in ("overwrite", "mount")}}


def attempt(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """All, or those that are named."""
    names = query(environ).get("names", ",".join(ATTEMPTS)).split(",")
    return answer(start_response, json.dumps({name: outcome(name) for name in names}).encode())


def at_import(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    return answer(start_response, json.dumps({**AT_IMPORT, "now": str(os.getpid())}).encode())


def digest(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    return answer(start_response, hashlib.sha256(environ["wsgi.input"].read()).hexdigest().encode())


@tapster.on_exit
def end() -> None:
    print("on_exit ran", file=sys.stderr, flush=True)


application = routed({"/attempt": attempt, "/at-import": at_import, "/digest": digest})
