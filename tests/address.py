"""Where a server listens, as its start-up lines say it."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass

_URL = re.compile(r"\b(?:https?|tcp)://(\[[0-9a-fA-F:.]+\]|[^\s:/,]+):(\d+)")
_UNIX = re.compile(r"\bunix:(/[^\s,;)]+)")


@dataclass(frozen=True)
class Address:
    """A TCP address, or the path of a unix socket."""

    host: str = ""
    port: int = 0
    path: str = ""

    def connect(self, timeout: float = 10.0) -> socket.socket:
        """A connected socket; the time-out holds for every later operation."""
        if self.path:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(timeout)
            connection.connect(self.path)
            return connection
        connection = socket.create_connection((self.host, self.port), timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def __str__(self) -> str:
        return f"unix:{self.path}" if self.path else f"{self.host}:{self.port}"


def addresses_in(line: str) -> list[Address]:
    """Every address that a line names."""
    found = [Address(host=host.strip("[]"), port=int(port)) for host, port in _URL.findall(line)]
    return found + [Address(path=path) for path in _UNIX.findall(line)]
