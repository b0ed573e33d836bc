"""One request, four dresses: HTTP or uwsgi, TCP or unix socket. For tests whose outcome must not depend on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.uwsgi_packet import uwsgi_request
from tests.wire import Connection, Response, http_request

if TYPE_CHECKING:
    from tests.address import Address
    from tests.server import Server

NAMES = ("http-tcp", "http-unix", "uwsgi-tcp", "uwsgi-unix")


@dataclass(frozen=True)
class Transport:
    """How to reach a server."""

    name: str
    address: Address

    @classmethod
    def of(cls, server: Server, name: str) -> Transport:
        """The server must listen on one TCP address and one unix socket."""
        return cls(name, server.unix if name.endswith("unix") else server.address)

    @property
    def is_uwsgi(self) -> bool:
        """Whether requests are uwsgi packets."""
        return self.name.startswith("uwsgi")

    def bytes_of(
        self,
        target: str = "/",
        method: str = "GET",
        fields: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> bytes:
        """The request as it goes over the wire."""
        if self.is_uwsgi:
            return uwsgi_request(method, target, fields, body)
        return http_request(method, target, fields, body)

    def connect(self) -> Connection:
        """A connection to the server."""
        return Connection(self.address)

    def request(
        self,
        target: str = "/",
        method: str = "GET",
        fields: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Response:
        """Sends one request on a connection of its own and reads the whole answer."""
        with self.connect() as connection:
            connection.send(self.bytes_of(target, method, fields, body))
            response = connection.read_response(method)
            if self.is_uwsgi:
                assert not response.chunked, "uwsgi answers are never chunked"
                connection.assert_closed()
            return response
