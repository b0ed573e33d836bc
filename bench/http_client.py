"""The runner's own requests: to see that a server is there, and to hold connections open."""

from __future__ import annotations

import http.client
import socket
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from bench.child import MeasurementError

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Generator

#: Seconds for a server to give its first answer.
BOOT = 20.0
_REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_answer(port: int, child: subprocess.Popen[bytes]) -> None:
    """Asks until the answer is 200."""
    deadline = time.monotonic() + BOOT
    while True:
        try:
            if answers(port):
                return
        except (OSError, http.client.HTTPException) as error:
            if child.poll() is not None:
                raise MeasurementError(
                    f"ended with status {child.returncode} before its first answer"
                ) from None
            if time.monotonic() > deadline:
                raise MeasurementError(f"gave no answer within {BOOT:g} s: {error}") from None
        time.sleep(0.001)


def answers(port: int) -> bool:
    """Whether one request on a connection of its own is answered with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=BOOT)
    try:
        connection.request("GET", "/", headers={"Connection": "close"})
        response = connection.getresponse()
        response.read()
        return response.status == 200
    finally:
        connection.close()


@contextmanager
def held_open(port: int, count: int) -> Generator[None]:
    """So many keep-alive connections, each idle after one request."""
    with ExitStack() as stack:
        for number in range(count):
            try:
                connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), 3.0))
                connection.sendall(_REQUEST)
                answer = connection.recv(65536)
            except OSError as error:
                raise MeasurementError(f"answered {number} of {count} connections, then: {error}") from None
            if b" 200 " not in answer[:16]:
                raise MeasurementError(
                    f"connection {number + 1} of {count} was answered with {answer[:40]!r}"
                )
        yield
