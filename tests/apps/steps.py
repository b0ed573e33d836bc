"""For the tests of processes: says which process and version answers, waits, sleeps, exits.

Gates are files in the directory GATES: `/gate?name=` writes `name.waiting` and waits until `name.open` exists,
so a test knows that a request is inside the application, in whichever worker.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from routing import answer, query, routed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

GATES = Path(os.environ.get("GATES", "."))
WAIT_SECONDS = 30.0


def pid(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    return answer(start_response, str(os.getpid()).encode())


def thread(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    return answer(start_response, str(threading.get_native_id()).encode())


def gate(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Waits inside the application until the test opens the gate."""
    name = query(environ)["name"]
    (GATES / f"{name}.waiting").write_text(str(os.getpid()))
    deadline = time.monotonic() + WAIT_SECONDS
    while not (GATES / f"{name}.open").exists():
        if time.monotonic() > deadline:
            return answer(start_response, b"never opened", "500 Never Opened")
        time.sleep(0.005)
    return answer(start_response, f"opened {name}".encode())


def sleep(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    seconds = query(environ)["seconds"]
    time.sleep(float(seconds))
    return answer(start_response, f"slept {seconds}".encode())


def spin(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Keeps a CPU busy until its time or `/stop-spinning` comes: never lets go of the interpreter by itself.

    With a name it says before that it is inside.
    """
    given = query(environ)
    if "name" in given:
        (GATES / f"{given['name']}.waiting").write_text(str(os.getpid()))
    until = time.monotonic() + float(given["seconds"])
    while time.monotonic() < until and not _may_stop:
        pass
    return answer(start_response, b"spun")


def stop_spinning(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """From now on nobody spins in this process."""
    _may_stop.append(True)
    return answer(start_response, b"stopping")


def hold(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Sleeps in C without letting go of the interpreter; says before that it is inside."""
    given = query(environ)
    (GATES / f"{given['name']}.waiting").write_text(str(os.getpid()))
    ctypes.PyDLL(None).usleep(int(float(given["seconds"]) * 1e6))
    return answer(start_response, b"held")


def echo(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """The id of the request and the digest of its body, so that a mixed-up answer shows."""
    received: bytes = environ["wsgi.input"].read()
    identity: str = environ.get("HTTP_X_NUMBER", "")
    return answer(start_response, f"{identity} {hashlib.sha256(received).hexdigest()}".encode())


def events(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """A stream of `count` events, with silence before each."""
    given = query(environ)
    start_response("200 OK", [("Content-Type", "text/event-stream")])
    for number in range(int(given["count"])):
        time.sleep(float(given["seconds"]))
        yield b"event %d\n" % number


def hard_exit(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
    os._exit(int(query(environ).get("code", "9")))


def soft_exit(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
    sys.exit("planned exit")


def crash(_: WSGIEnvironment, start_response: StartResponse) -> Any:
    """A fault in C, in the thread that serves."""
    ctypes.string_at(0)


class EndsTheProcess:
    """A body whose process ends in the middle of it, or when it is closed: `how` is exit or crash."""

    def __init__(self, environ: WSGIEnvironment, start_response: StartResponse) -> None:
        given = query(environ)
        self._how, self._where, self._items = given["how"], given["where"], iter([b"one", b"two"])
        start_response("200 OK", [("Content-Type", "text/plain")])

    def __iter__(self) -> EndsTheProcess:
        return self

    def __next__(self) -> bytes:
        item = next(self._items)
        if item == b"two" and self._where == "midway":
            self._end()
        return item

    def close(self) -> None:
        if self._where == "close":
            self._end()

    def _end(self) -> None:
        os._exit(9) if self._how == "exit" else ctypes.string_at(0)


def child_descriptors(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """What a child of the application inherits when nobody closes anything for it."""
    listing = subprocess.run(["ls", "/proc/self/fd"], close_fds=False, capture_output=True, check=True)
    return answer(start_response, b" ".join(listing.stdout.split()))


def fork(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Leaves a child behind that lives on for a while, with all that it inherited."""
    child = os.fork()
    if child == 0:
        time.sleep(float(query(environ)["seconds"]))
        os._exit(0)
    return answer(start_response, str(child).encode())


def alarms(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """How often the application's own signal handler ran."""
    return answer(start_response, str(len(_alarms)).encode())


_may_stop: list[bool] = []
_alarms: list[int] = []
signal.signal(signal.SIGALRM, lambda number, _: _alarms.append(number))

application = routed(
    {
        "/pid": pid,
        "/thread": thread,
        "/gate": gate,
        "/sleep": sleep,
        "/spin": spin,
        "/stop-spinning": stop_spinning,
        "/hold": hold,
        "/echo": echo,
        "/events": events,
        "/hard-exit": hard_exit,
        "/soft-exit": soft_exit,
        "/crash": crash,
        "/ends": EndsTheProcess,
        "/fork": fork,
        "/alarms": alarms,
        "/child-descriptors": child_descriptors,
    }
)
