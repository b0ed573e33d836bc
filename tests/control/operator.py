"""An operator of one server: runs the commands, or speaks the protocol by hand."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

from tests.server import run

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.server import Server


class Operator:
    """Somebody who knows the path of a server's control socket."""

    def __init__(self, server: Server, path: Path) -> None:
        self.server = server
        self.path = path

    def run(self, *words: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """A command, to its end."""
        return run(*words, "--control-socket", str(self.path), timeout=timeout)

    def say(self, *words: str) -> str:
        """What a command prints that must succeed."""
        done = self.run(*words)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout

    def status(self) -> dict[str, Any]:
        """The status, as the command prints it for programs."""
        return json.loads(self.say("status", "--json"))

    def connect(self, timeout: float = 40.0) -> Line:
        """A connection to speak the protocol on."""
        return Line(self.path, timeout)

    def ask(self, **request: Any) -> dict[str, Any]:
        """One request and its answer."""
        with self.connect() as line:
            return line.ask(**request)


class Line:
    """A connection: a line out, a line in."""

    def __init__(self, path: Path, timeout: float) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        # A full queue is waited for; with a time-out the system would say so at once.
        self.socket.connect(str(path))
        self.socket.settimeout(timeout)
        self.file = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        """Bytes as they are."""
        self.socket.sendall(data)

    def order(self, **request: Any) -> None:
        """A request, whose answer is read later."""
        self.send(json.dumps(request).encode() + b"\n")

    def answer(self) -> dict[str, Any]:
        """The next answer."""
        return json.loads(self.file.readline())

    def ask(self, **request: Any) -> dict[str, Any]:
        """One request and its answer."""
        self.order(**request)
        return self.answer()

    def is_closed(self) -> bool:
        """Whether the server closes the connection, with nothing left to read."""
        return self.file.read() == b""

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.socket.close()
