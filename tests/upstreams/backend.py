"""An upstream that keeps what it was sent and answers as it is told: for what no real server says."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Callable

from tests.address import Address

if TYPE_CHECKING:
    from types import TracebackType

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

#: Gets the head and the body of a request, and its connection; gives the answer.
Script = Callable[[bytes, bytes, socket.socket], bytes]


def answer(text: bytes) -> Script:
    """The same for every request."""
    return lambda _head, _body, _connection: text


class Backend:
    """Listens on a port, its own if none is given; each connection has a thread."""

    def __init__(self, script: Script | bytes = OK, port: int = 0, host: str = "127.0.0.1") -> None:
        self.script = answer(script) if isinstance(script, bytes) else script
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self._open: list[socket.socket] = []
        self._listener = socket.create_server((host, port), backlog=128)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> Address:
        """Where it listens."""
        host, port = self._listener.getsockname()
        return Address(host=host, port=port)

    @property
    def url(self) -> str:
        """As an upstream."""
        return f"http://{self.address.host}:{self.address.port}"

    def fields(self, index: int = -1) -> dict[str, str]:
        """Of one request; names in small letters, each once."""
        lines = self.heads[index].decode("latin-1").split("\r\n")[1:-2]
        pairs = [line.split(": ", 1) for line in lines]
        names = [name.lower() for name, _ in pairs]
        assert len(set(names)) == len(names), names
        return {name.lower(): value for name, value in pairs}

    def close(self) -> None:
        """Refuses connections from now on and ends those that there are."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Backend:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            stream = connection.makefile("rb")
            while line := stream.readline():
                head = line
                while not head.endswith(b"\r\n\r\n"):
                    head += stream.readline()
                length = next(
                    (
                        int(field[15:])
                        for field in head.split(b"\r\n")
                        if field[:15].lower() == b"content-length:"
                    ),
                    0,
                )
                body = stream.read(length)
                self.heads.append(head)
                self.bodies.append(body)
                said = self.script(head, body, connection)
                connection.sendall(said)
                if b"Connection: close" in said or b"HTTP/1.0" in said or not said:
                    return
