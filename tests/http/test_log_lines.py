"""What a client sends never reaches the log as a control sequence or as a line of its own (CVE-2020-7694 and kin)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server import Server
from tests.uwsgi_packet import packet, request_variables
from tests.wire import exchange

if TYPE_CHECKING:
    from collections.abc import Iterator

EVIL = '\x9b31m "quoted" \\ \xe9 \t end'
FORGED = "\n2026-01-01 00:00:00.000 +0000 [1] [error] forged \x1b[2J\r\x7f\0"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Writes a line for each request."""
    with Server.start("answers:application", "--access-log", "on") as started:
        yield started


def assert_clean(lines: list[str], count: int) -> None:
    assert len(lines) == count, lines
    for line in lines:
        assert all(character == "\t" or character.isprintable() for character in line), repr(line)
        assert not line.startswith("2026-01-01")


def test_in_fields(server: Server) -> None:
    mark = server.log.mark()
    head = f"GET /one?%1b[31m HTTP/1.1\r\nHost: a\r\nUser-Agent: {EVIL}\r\nReferer: {EVIL}\r\nConnection: close\r\n\r\n"
    assert exchange(server.address, head.encode("latin-1")).status == 200
    server.log.wait_for("/one", mark)
    assert_clean(server.log.lines(mark), 1)


@pytest.mark.parametrize("path", ["/one", "/short", "/raise"])
def test_in_uwsgi_variables(server: Server, path: str) -> None:
    """They may hold any byte: in the access log, a warning and an error."""
    mark = server.log.mark()
    names = (
        "REQUEST_URI",
        "REMOTE_ADDR",
        "HTTP_USER_AGENT",
        "HTTP_REFERER",
        "SERVER_PROTOCOL",
        "QUERY_STRING",
    )
    variables = {name: path + FORGED.replace("\0", "") for name in names}
    request = packet(request_variables("GET", path, None, None, **variables))
    response = exchange_to_end(server, request)
    assert response.startswith(b"HTTP/1.1 ")
    server.log.wait_for(rf'"GET {path}', mark)
    lines = [line for line in server.log.lines(mark) if "forged" in line]
    assert_clean(lines, 1 if path == "/one" else 2)


def exchange_to_end(server: Server, request: bytes) -> bytes:
    """An answer whose body may be cut short."""
    with server.address.connect() as client:
        client.sendall(request)
        received = b""
        while data := client.recv(65536):
            received += data
    return received
