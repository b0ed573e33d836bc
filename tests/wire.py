"""A client that speaks in bytes: sends what it is told, reads one response strictly. Every wire test uses it."""

from __future__ import annotations

import re
import socket
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from tests.address import Address

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) (\d{3}) ([\t\x20-\x7e\x80-\xff]*)\Z")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*\Z")


class Broken(AssertionError):
    """The server sent something that is not HTTP/1.1."""


class Truncated(AssertionError):
    """The connection ended inside a response body; holds what came before."""

    def __init__(self, body: bytes) -> None:
        super().__init__(f"the connection ended after {len(body)} bytes of the body")
        self.body = body


@dataclass
class Response:
    """One answer."""

    version: str
    status: int
    reason: str
    fields: list[tuple[str, str]]
    body: bytes = b""
    chunks: list[bytes] = field(default_factory=list[bytes])

    def all(self, name: str) -> list[str]:
        """Every value of a field, in order."""
        return [value for found, value in self.fields if found.lower() == name.lower()]

    def get(self, name: str) -> str | None:
        """The value of a field that occurs at most once."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} occurs {len(values)} times"
        return values[0] if values else None

    @property
    def chunked(self) -> bool:
        """Whether the body came in chunks."""
        return (self.get("Transfer-Encoding") or "").lower() == "chunked"

    @property
    def closes(self) -> bool:
        """Whether the server says that it closes the connection (RFC 9112 §9.3)."""
        connection = (self.get("Connection") or "").lower()
        return connection == "close" or (self.version == "1.0" and connection != "keep-alive")


class Connection:
    """A client's end."""

    def __init__(self, address: Address, timeout: float = 10.0) -> None:
        self.socket = address.connect(timeout)
        self._buffer = bytearray()

    def send(self, data: bytes) -> None:
        """Sends all of it."""
        self.socket.sendall(data)

    def half_close(self) -> None:
        """Sends FIN: no more from here, still listening."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Closes with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        """Closes."""
        self.socket.close()

    @property
    def port(self) -> int:
        """This end's port, by which the server's log names it."""
        return int(self.socket.getsockname()[1])

    def read_head(self) -> Response:
        """Status line and fields; a missing or malformed one is an error."""
        head = self.read_until(b"\r\n\r\n")[:-4]
        status_line, *lines = head.split(b"\r\n")
        status = _STATUS_LINE.match(status_line)
        if not status:
            raise Broken(f"status line {status_line!r}")
        fields = [_parse_field(line) for line in lines]
        minor, code, reason = status.groups()
        return Response(f"1.{minor.decode()}", int(code), reason.decode("latin-1"), fields)

    def read_response(self, method: str = "GET") -> Response:
        """One whole final response (RFC 9112 §6.3 says how long its body is)."""
        response = self.read_head()
        assert response.status >= 200, f"unexpected interim response {response.status}"
        self.read_body(response, method)
        return response

    def read_body(self, response: Response, method: str = "GET") -> None:
        """The body that belongs to the head just read."""
        if method == "HEAD" or response.status in (204, 304):
            return
        if response.chunked:
            assert response.get("Content-Length") is None, "both Transfer-Encoding and Content-Length"
            self._read_chunks(response)
            return
        length = response.get("Content-Length")
        response.body = self.read_to_end() if length is None else self.read_exactly(int(length))

    def read_chunk(self) -> bytes:
        """One chunk; empty for the last."""
        size = int(self.read_until(b"\r\n")[:-2], 16)
        data = self.read_exactly(size)
        if self.read_exactly(2) != b"\r\n":
            raise Broken("a chunk is not followed by CRLF")
        return data

    def read_until(self, mark: bytes, limit: int = 1 << 20) -> bytes:
        """The bytes up to the mark and the mark."""
        while (place := self._buffer.find(mark)) < 0:
            assert len(self._buffer) < limit, f"no {mark!r} within {limit} bytes"
            if not self._fill():
                raise Truncated(bytes(self._buffer))
        return self._take(place + len(mark))

    def read_exactly(self, length: int) -> bytes:
        """This many bytes."""
        while len(self._buffer) < length:
            if not self._fill(min(1 << 20, max(65536, length - len(self._buffer)))):
                raise Truncated(bytes(self._buffer))
        return self._take(length)

    def read_to_end(self) -> bytes:
        """Everything until the server closes; a reset is an error."""
        while self._fill():
            pass
        return self._take(len(self._buffer))

    def assert_closed(self) -> None:
        """The server closed, and sent nothing more before."""
        try:
            rest = self.read_to_end()
        except ConnectionResetError:
            rest = bytes(self._buffer)
        assert not rest, f"bytes after the end: {rest[:200]!r}"

    def assert_silent(self, seconds: float = 0.2) -> None:
        """Nothing comes, and the connection stays open, for this long."""
        self.socket.settimeout(seconds)
        try:
            got = self.socket.recv(65536)
        except (TimeoutError, socket.timeout):
            got = None
        finally:
            self.socket.settimeout(10.0)
        assert not self._buffer and got is None, f"expected silence, got {bytes(self._buffer)!r} {got!r}"

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read_chunks(self, response: Response) -> None:
        try:
            while chunk := self.read_chunk():
                response.chunks.append(chunk)
        except Truncated as truncated:
            raise Truncated(b"".join(response.chunks)) from truncated
        response.body = b"".join(response.chunks)

    def _fill(self, size: int = 65536) -> bool:
        data = self.socket.recv(size)
        self._buffer += data
        return bool(data)

    def _take(self, length: int) -> bytes:
        data = bytes(self._buffer[:length])
        del self._buffer[:length]
        return data


def exchange(address: Address, request: bytes, method: str = "GET", timeout: float = 10.0) -> Response:
    """Sends a request on a connection of its own and reads the answer."""
    with Connection(address, timeout) as connection:
        connection.send(request)
        return connection.read_response(method)


def http_request(
    method: str = "GET",
    target: str = "/",
    fields: dict[str, str] | None = None,
    body: bytes | None = None,
    version: str = "1.1",
) -> bytes:
    """A well-formed request; Host and Content-Length are added where they are due and not given."""
    given = dict(fields or {})
    names = {name.lower() for name in given}
    if "host" not in names and version == "1.1":
        given = {"Host": "test.example", **given}
    if body is not None and not names & {"content-length", "transfer-encoding"}:
        given["Content-Length"] = str(len(body))
    head = "".join(
        [f"{method} {target} HTTP/{version}\r\n", *(f"{name}: {value}\r\n" for name, value in given.items())]
    )
    return head.encode("latin-1") + b"\r\n" + (body or b"")


def chunked(*parts: bytes) -> bytes:
    """A chunked body (RFC 9112 §7.1)."""
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts if part) + b"0\r\n\r\n"


def _parse_field(line: bytes) -> tuple[str, str]:
    found = _FIELD.match(line)
    if not found:
        raise Broken(f"field line {line!r}")
    return found[1].decode("latin-1"), found[2].decode("latin-1")
