"""One client of `steady.py`: a connection that does not block, a request on its way, and an answer as far as it has come."""

from __future__ import annotations

import errno
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.address import Address

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length: "


class Wrong(Exception):
    """An answer that is not the one that is due."""


class Client:
    """Asks when it is told to."""

    def __init__(
        self, address: Address, pause: float, keeps: bool = True, is_once: bool = False, is_many: bool = False
    ) -> None:
        #: Seconds from one request to the next, if the answer is there by then.
        self.pause = pause
        #: Whether it uses a connection again.
        self.keeps = keeps
        #: Whether it asks once only.
        self.is_once = is_once
        #: Whether it is no client, but makes one at each turn.
        self.is_many = is_many
        self.number = 0
        self.due = self.began = 0.0
        #: Who answered last on this connection; 0 on a new one.
        self.pid = 0
        self.received = b""
        self.is_watched_for_room = False
        self._address = address
        self._socket: socket.socket | None = None
        self._rest = b""

    @property
    def descriptor(self) -> int:
        """Of its connection; -1 when there is none."""
        return self._socket.fileno() if self._socket else -1

    @property
    def wants_room(self) -> bool:
        """Whether something is still to be sent."""
        return bool(self._rest)

    def ask(self, number: int, request: bytes) -> None:
        """Sends a request, on a new connection where there is none."""
        self.number, self.began = number, time.monotonic()
        self.received, self._rest = b"", request
        if not self._socket:
            self._socket = self._connect()
        self.send_rest()

    def send_rest(self) -> None:
        """As much as goes now."""
        assert self._socket
        with suppress(BlockingIOError):
            self._rest = self._rest[self._socket.send(self._rest) :]

    def receive(self) -> bool:
        """Takes what has come; false at the end of the connection."""
        assert self._socket
        with suppress(BlockingIOError):
            data = self._socket.recv(65536)
            self.received += data
            return bool(data)
        return True

    def take_answer(self) -> tuple[int, bytes, bytes, bool] | None:
        """Status, head in lower case, body, and whether the server closes the connection; none while that is not all."""
        end = self.received.find(_HEAD_END)
        if end < 0:
            return None
        head = self.received[: end + 2].lower()
        place = head.find(_LENGTH)
        if not head.startswith(b"http/1.1 ") or place < 0:
            raise Wrong(f"no answer of this kind: {head[:40]!r}")
        place += len(_LENGTH)
        length = int(head[place : head.index(b"\r", place)])
        body = self.received[end + 4 : end + 4 + length]
        if len(body) < length:
            return None
        if len(self.received) > end + 4 + length:
            raise Wrong("more than one answer")
        self.received = b""
        return int(head[9:12]), head, body, b"\r\nconnection: close\r\n" in head

    def close(self) -> None:
        """Ends its connection, if it has one."""
        if self._socket:
            self._socket.close()
        self._socket, self._rest, self.pid, self.is_watched_for_room = None, b"", 0, False

    def _connect(self) -> socket.socket:
        family, place = socket.AF_INET, (self._address.host, self._address.port)
        if self._address.path:
            family, place = socket.AF_UNIX, self._address.path
        made = socket.socket(family)
        made.setblocking(False)
        error = made.connect_ex(place)
        # A unix socket whose queue is full says EAGAIN at once, and never that there is room.
        while error == errno.EAGAIN and time.monotonic() < self.began + 1.0:
            time.sleep(0.001)
            error = made.connect_ex(place)
        if error not in (0, errno.EINPROGRESS):
            made.close()
            raise OSError(error, "cannot connect")
        return made
