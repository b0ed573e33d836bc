"""HTTP/2 in bytes (RFC 9113), for clients that do what no library does. Fields go out as they are, without compression."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from hpack import Decoder

from tests.wire import Connection

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.address import Address

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY = range(8)
WINDOW_UPDATE, CONTINUATION = 8, 9
END_STREAM, END_HEADERS, PADDED, WITH_PRIORITY, ACK = 1, 4, 8, 32, 1

#: Fields of a request for /hello.
HELLO = ((":method", "GET"), (":scheme", "http"), (":path", "/hello"), (":authority", "test.example"))


class Frame(NamedTuple):
    """One frame."""

    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def code(self) -> int:
        """The reason of a reset, or of the connection's end."""
        start = 4 if self.kind == GOAWAY else 0
        return int(struct.unpack_from(">I", self.payload, start)[0])


@dataclass
class Answer:
    """What came of a request."""

    #: The fields of each head, interim ones before the last.
    heads: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    body: bytes = b""
    #: The reason of a reset.
    reset: int | None = None
    #: The reason of the connection's end.
    goaway: int | None = None
    is_over: bool = False

    @property
    def status(self) -> int | None:
        """The final status; none without a head."""
        return int(self.heads[-1][":status"]) if self.heads else None

    def take(self, one: Frame, decoder: Decoder) -> None:
        """Adds a frame of its stream."""
        if one.kind == RST_STREAM:
            self.reset = one.code
        elif one.kind == HEADERS:
            self.heads.append({str(name): str(value) for name, value in decoder.decode(one.payload)})
        else:
            self.body += one.payload
        self.is_over = one.kind == RST_STREAM or bool(one.flags & END_STREAM)


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    """A frame in bytes."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _text(value: str) -> bytes:
    data = value.encode("latin-1")
    if len(data) < 127:
        return bytes([len(data)]) + data
    rest, length = len(data) - 127, bytearray([127])
    while rest >= 128:
        length.append(rest % 128 + 128)
        rest //= 128
    return bytes([*length, rest]) + data


def block(fields: Iterable[tuple[str, str]]) -> bytes:
    """Fields as literals that are not indexed (RFC 7541 §6.2.2)."""
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in fields)


class Http2(Connection):
    """A client that knows beforehand that the server speaks HTTP/2."""

    def __init__(self, address: Address, settings: bytes = b"", before: bytes = b"") -> None:
        super().__init__(address)
        self._rest = b""
        self._decoder = Decoder()
        self._answers: dict[int, Answer] = {}
        self.send(before + PREFACE + frame(SETTINGS, payload=settings))

    def __enter__(self) -> Http2:
        return self

    def request(
        self, stream: int, fields: Iterable[tuple[str, str]] = HELLO, flags: int = END_STREAM
    ) -> None:
        """The head of a request."""
        self.send(frame(HEADERS, flags | END_HEADERS, stream, block(fields)))

    def read_frame(self) -> Frame | None:
        """The next frame; none at the end."""
        head = self._exactly(9)
        if head is None:
            return None
        length = int.from_bytes(head[:3], "big")
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        payload = self._exactly(length)
        return None if payload is None else Frame(kind, flags, stream, payload)

    def answer(self, stream: int = 1, until: int = END_STREAM) -> Answer:
        """The answer to a request, as far as it goes. What comes for others meanwhile is kept for them."""
        found = self._answers.setdefault(stream, Answer())
        while not found.is_over and not (until == END_HEADERS and found.heads):
            one = self.read_frame()
            if one is None:
                break
            if one.kind == GOAWAY:
                found.goaway = one.code
            else:
                self.keep(one)
        return found

    def keep(self, one: Frame) -> None:
        """Adds a frame to the answer that it belongs to. Every head must pass here: later ones refer to it (RFC 7541 §2.2)."""
        if one.kind in (HEADERS, DATA, RST_STREAM):
            self._answers.setdefault(one.stream, Answer()).take(one, self._decoder)

    def frames(self, *, until: int, stream: int | None = None) -> list[Frame]:
        """All frames up to one of a kind."""
        found: list[Frame] = []
        while (one := self.read_frame()) is not None:
            found.append(one)
            if one.kind == until and stream in (None, one.stream):
                return found
        return found

    def _exactly(self, count: int) -> bytes | None:
        while len(self._rest) < count:
            try:
                more = self.socket.recv(65536)
            except ConnectionError:
                return None
            if not more:
                return None
            self._rest += more
        taken, self._rest = self._rest[:count], self._rest[count:]
        return taken
