"""A service manager's end of sd_notify(3): keeps what a server says. Used by the tests of this folder."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType


class Manager:
    """A datagram socket at a path, or under an abstract name when the name begins with `@`."""

    def __init__(self, name: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self.env = {"NOTIFY_SOCKET": name}
        self.messages: list[dict[str, str]] = []

    def wait_for(self, name: str, value: str, timeout: float = 20.0) -> dict[str, str]:
        """Waits for a message in which a name has this value; leaves what came after it unread."""
        deadline = time.monotonic() + timeout
        while True:
            self.socket.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                text = self.socket.recv(4096).decode()
            except TimeoutError:
                raise AssertionError(f"no {name}={value} among {self.messages}") from None
            message = dict(line.split("=", 1) for line in text.splitlines())
            self.messages.append(message)
            if message.get(name) == value:
                return message

    def __enter__(self) -> Manager:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()
