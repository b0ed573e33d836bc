"""Clients that come from other addresses of this machine: 127.0.0.0/8 is all of it."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from tests.address import Address


@dataclass(frozen=True)
class Nearby(Address):
    """A server's address, and the client's own."""

    source: str = "127.0.0.1"

    def connect(self, timeout: float = 10.0) -> socket.socket:
        """As a client with that address."""
        return socket.create_connection((self.host, self.port), timeout, (self.source, 0))


def nearby(address: Address, source: str) -> Nearby:
    """The same server, for a client with another address."""
    return Nearby(host=address.host, port=address.port, source=source)
