"""For the fault runner, on any WSGI server: says which process answers, dies, hangs, leaks and breaks rules when asked.

EVENTS names a folder: a worker that has loaded the application has a file named by its number in `workers/` there, and
`log` is where requests note what happened inside, one line each. Every answer to `/probe` names the process.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import random
import signal
import ssl
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from misbehaves import junk, raises
from routing import answer, query, routed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

EVENTS = Path(os.environ["EVENTS"])


def loaded() -> None:
    """To be called at the end of the import: this process is a worker."""
    (EVENTS / "workers" / str(os.getpid())).touch()


def note(text: str) -> None:
    """One line, whole, from whichever process."""
    descriptor = os.open(EVENTS / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(descriptor, f"{text}\n".encode())
    os.close(descriptor)


def probe(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """The number it was asked for, the process, the generation, and a body that shows what is missing or mixed up."""
    number = query(environ)["n"]
    body = f"{number} {os.getpid()} {hashlib.sha256(number.encode()).hexdigest()}\n".encode()
    return answer(start_response, body)


def echo(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    received = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return answer(start_response, hashlib.sha256(received).hexdigest().encode())


def die(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
    """Takes the process along: `how` is crash, abort, kill or the number of an exit code."""
    how = query(environ)["how"]
    if how == "crash":
        ctypes.string_at(0)
    elif how == "abort":
        os.abort()
    elif how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    os._exit(int(how))


def hang(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
    """Never answers by itself, in the way that `how` names; `seconds` bounds it."""
    given = query(environ)
    seconds = float(given["seconds"])
    note(f"inside {os.getpid()}")
    if given["how"] == "sleep":
        time.sleep(seconds)
    elif given["how"] == "lock":
        held = threading.Lock()
        held.acquire()
        held.acquire(timeout=seconds)
    elif given["how"] == "spin":
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            pass
    else:
        ctypes.PyDLL(None).usleep(ctypes.c_uint(int(seconds * 1e6)))
    return answer(start_response, b"came back")


def nap(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Sleeps for so many `seconds`."""
    time.sleep(float(query(environ)["seconds"]))
    return answer(start_response, str(os.getpid()).encode())


def stream(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Yields without end; notes when it is closed. After the first item it may be `idle` for so many seconds."""
    given = query(environ)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return _Endless(given["id"], float(given.get("idle", "0.01")))


class _Endless:
    def __init__(self, name: str, idle: float) -> None:
        self._name, self._pause, self._idle = name, 0.01, idle

    def __iter__(self) -> _Endless:
        return self

    def __next__(self) -> bytes:
        time.sleep(self._pause)
        self._pause, self._idle = self._idle, 0.01
        return b"x" * 1000

    def close(self) -> None:
        note(f"closed {self._name}")


def download(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """`kib` KiB, in blocks of 16."""
    kib = int(query(environ)["kib"])
    start_response(
        "200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(kib * 1024))]
    )
    return (b"d" * 16384 for _ in range(kib // 16))


def breaks(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    """Raises after its second item; with a length or without."""
    length = [("Content-Length", "100")] if "sized" in query(environ) else []
    start_response("200 OK", [("Content-Type", "text/plain"), *length])
    yield b"first item"
    yield b"second item"
    raise RuntimeError("planned, in the iterable")


def length(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Says one length and sends another."""
    given = query(environ)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", given["says"])])
    return [b"x" * int(given["sends"])]


def reads(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Reads its body as frameworks do, and notes how much it took for all of it."""
    declared = environ.get("CONTENT_LENGTH")
    body = environ["wsgi.input"].read(*([int(declared)] if declared else []))
    note(f"complete {query(environ)['id']} {len(body)}")
    return answer(start_response, str(len(body)).encode())


def start_response_never(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    return [b"no status was given"]


def start_response_twice(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"twice"]


def start_response_replaced(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """With exc_info before anything was sent: the second holds (PEP 3333)."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    try:
        raise RuntimeError("planned")
    except RuntimeError as error:
        start_response(
            "503 Replaced", [("Content-Type", "text/plain")], (type(error), error, error.__traceback__)
        )
    return [b"replaced"]


def start_response_late(_: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    """With exc_info after the head is out: it is raised again (PEP 3333)."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"first"
    try:
        raise RuntimeError("planned")
    except RuntimeError as error:
        start_response(
            "503 Late", [("Content-Type", "text/plain")], (type(error), error, error.__traceback__)
        )
    yield b"never to be seen"


def head(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Gives start_response a status or a field that no answer may have."""
    status, fields = BAD_HEADS[query(environ)["kind"]]
    start_response(status, [("Content-Type", "text/plain"), *fields])
    return [b"body"]


BAD_HEADS: dict[str, tuple[Any, list[Any]]] = {
    "value-not-text": ("200 OK", [("X-A", 7)]),
    "value-crlf": ("200 OK", [("X-A", "1\r\nX-Injected: 1")]),
    "value-nul": ("200 OK", [("X-A", "1\0")]),
    "name-crlf": ("200 OK", [("X-A\r\nX-Injected", "1")]),
    "name-empty": ("200 OK", [("", "1")]),
    "two-lengths": ("200 OK", [("Content-Length", "4"), ("Content-Length", "5")]),
    "length-no-number": ("200 OK", [("Content-Length", "four")]),
    "status-crlf": ("200 OK\r\nX-Injected: 1", []),
    "status-long": ("2000 X", []),
    "status-not-text": (200, []),
    "hop-by-hop": ("200 OK", [("Transfer-Encoding", "chunked")]),
}


def panics(_: WSGIEnvironment, start_response: StartResponse) -> Any:
    """What an extension written in Rust raises when it panics."""
    raise _PanicException("planned panic")


_PanicException = type("PanicException", (BaseException,), {"__module__": "pyo3_runtime"})


class _FailsInClose(list[bytes]):
    def __init__(self, seconds: float) -> None:
        super().__init__([b"all of it"])
        self._seconds = seconds

    def close(self) -> None:
        time.sleep(self._seconds)
        raise RuntimeError("planned, in close()")


def close(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """All of the body, and a close() that takes its time and raises."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "9")])
    return _FailsInClose(float(query(environ)["seconds"]))


def orphans(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Leaves `count` grandchildren to whoever adopts them; each ends with the code 3."""
    count = int(query(environ)["count"])
    for _ in range(count):
        child = os.fork()
        if child == 0:
            if os.fork() == 0:
                time.sleep(0.05)
            os._exit(3)
        os.waitpid(child, 0)
    return answer(start_response, str(count).encode())


def lingers(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Leaves a thread that is no daemon and has no end."""
    threading.Thread(target=time.sleep, args=(3600,), name="planned-lingerer", daemon=False).start()
    return answer(start_response, b"left a thread")


def leak(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Keeps a mebibyte for ever."""
    _leaked.append(bytearray(os.urandom(4096)) * 256)
    return answer(start_response, str(len(_leaked)).encode())


_leaked: list[bytearray] = []


def become_root(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Whether this process can be root again."""
    try:
        os.setuid(0)
    except PermissionError:
        return answer(start_response, b"refused")
    return answer(start_response, b"root")


def identity(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """The process and what its random generator says next; no two processes may say the same."""
    drawn = f"{random.random()} {uuid.uuid4()} {ssl.RAND_bytes(8).hex()}"
    return answer(start_response, f"{os.getpid()} {drawn} {FORKS[-1]}".encode())


FORKS = ["none"]
os.register_at_fork(after_in_child=lambda: FORKS.append(f"forked {os.getpid()}"))

application = routed(
    {
        "/probe": probe,
        "/echo": echo,
        "/die": die,
        "/hang": hang,
        "/nap": nap,
        "/become-root": become_root,
        "/stream": stream,
        "/download": download,
        "/breaks": breaks,
        "/length": length,
        "/reads": reads,
        "/start-response-never": start_response_never,
        "/start-response-twice": start_response_twice,
        "/start-response-replaced": start_response_replaced,
        "/start-response-late": start_response_late,
        "/head": head,
        "/junk": junk,
        "/raise": raises,
        "/panics": panics,
        "/close": close,
        "/orphans": orphans,
        "/lingers": lingers,
        "/leak": leak,
        "/identity": identity,
    }
)
