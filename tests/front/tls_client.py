"""A client that speaks TLS, as Python's ssl module and so OpenSSL does."""

from __future__ import annotations

import json
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.wire import Connection, http_request

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from tests.front.certificates import Authority, Pair
    from tests.server import Server
    from tests.wire import Response


def context(authority: Authority | Path | None, client: Pair | None = None) -> ssl.SSLContext:
    """What a client trusts, and what it shows; without an authority it trusts everybody."""
    made = ssl.create_default_context()
    if authority is None:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    else:
        made.load_verify_locations(str(getattr(authority, "certificate", authority)))
    if client:
        made.load_cert_chain(client.certificate, client.key)
    return made


@contextmanager
def connect(
    server: Server,
    made: ssl.SSLContext,
    name: str = "localhost",
    session: ssl.SSLSession | None = None,
) -> Generator[Connection]:
    """An encrypted connection to the first address, for this host name."""
    connection = Connection(server.address)
    try:
        plain = connection.socket
        # An end that was not announced is an error.
        connection.socket = made.wrap_socket(
            plain, server_hostname=name, session=session, suppress_ragged_eofs=False
        )
        yield connection
    finally:
        connection.close()


def encrypted(connection: Connection) -> ssl.SSLSocket:
    """The socket below."""
    assert isinstance(connection.socket, ssl.SSLSocket)
    return connection.socket


def get(server: Server, made: ssl.SSLContext, name: str = "localhost", target: str = "/") -> Response:
    """One request on a connection of its own."""
    with connect(server, made, name) as connection:
        connection.send(http_request(target=target, fields={"Host": name}))
        return connection.read_response()


def environ(response: Response) -> dict[str, Any]:
    """What apps/environ_page.py says, by name."""
    return {name: value for name, (_, value) in json.loads(response.body).items()}
