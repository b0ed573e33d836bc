"""Many slow clients in a process of their own, so that what they cost is not the test's.

`python -m tests.crowd KIND HOST PORT COUNT EVERY` connects them, says `ready`, then each moves a byte every EVERY seconds,
until its connection ends. Last it prints what became of each: a status, `closed` or `reset`, and
after how many seconds.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from tests.address import Address

#: What each says at first. Then `head` and `body` send a byte now and then, and `read` reads one.
FIRST = {
    "head": b"GET /hello HTTP/1.1\r\nHost: a\r\nX: ",
    "body": b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n",
    "read": b"GET /download?blocks=16 HTTP/1.1\r\nHost: a\r\n\r\n",
}


@dataclass
class Fate:
    """What became of one client."""

    end: str
    seconds: float


class Crowd:
    """The process, from entering the context to leaving it."""

    def __init__(self, kind: str, address: Address, count: int, every: float = 0.1) -> None:
        words = [kind, address.host, str(address.port), str(count), str(every)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crowd", *words],
            cwd=Path(__file__).resolve().parent.parent,
            stdout=subprocess.PIPE,
            text=True,
        )

    def fates(self, timeout: float) -> list[Fate]:
        """Waits until every connection has ended."""
        output, _ = self._process.communicate(timeout=timeout)
        return [Fate(*row) for row in json.loads(output)]

    def __enter__(self) -> Crowd:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()


class Client:
    """One of them."""

    def __init__(self, kind: str, host: str, port: int) -> None:
        self.kind = kind
        self.socket = socket.socket()
        if kind == "read":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect((host, port))
        self.socket.sendall(FIRST[kind])
        self.socket.setblocking(False)
        self.started = time.monotonic()
        self.fate: Fate | None = None

    def move(self) -> None:
        """One byte, or the end."""
        try:
            if self.kind != "read":
                self._look(self._receive(4096))
                if not self.fate:
                    self.socket.send(b"x")
            elif self._receive(1) == b"":
                self._end("closed")
        except BlockingIOError:
            pass
        except OSError:
            self._end("reset")

    def _receive(self, size: int) -> bytes | None:
        try:
            return self.socket.recv(size)
        except BlockingIOError:
            return None

    def _look(self, answer: bytes | None) -> None:
        if answer is not None:
            self._end(answer[9:12].decode() if answer else "closed")

    def _end(self, how: str) -> None:
        self.fate = Fate(how, time.monotonic() - self.started)
        self.socket.close()


def main(kind: str, host: str, port: str, count: str, every: str) -> None:
    """Runs until all have ended."""
    clients = [Client(kind, host, int(port)) for _ in range(int(count))]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while waiting := [client for client in clients if not client.fate]:
        time.sleep(float(every))
        for client in waiting:
            client.move()
    json.dump([(client.fate.end, client.fate.seconds) for client in clients if client.fate], sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
