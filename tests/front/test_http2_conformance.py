"""Every rule of RFC 9113 that a client can break, section by section, as h2spec looks at them: what breaks it, and what follows.

Where the standard asks for a reason of its own PROTOCOL_ERROR does as well (section 7): it says less, but nothing wrong.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.front.http2_frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    HELLO,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    WITH_PRIORITY,
    Http2,
    block,
    frame,
)
from tests.wire import Connection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.server import Server

#: Reasons (RFC 9113 section 7).
PROTOCOL, FLOW, CLOSED, SIZE, REFUSED, COMPRESSION = 1, 3, 5, 6, 7, 9
CODES = {PROTOCOL: "protocol", FLOW: "flow", CLOSED: "closed", SIZE: "size", COMPRESSION: "compression"}

HEAD = block(HELLO)
POST = block([(":method", "POST"), *HELLO[1:2], (":path", "/echo"), HELLO[3]])
PONG = b"pongpong"
MOST = (1 << 31) - 1


class Until(NamedTuple):
    """A step: wait for the end of an answer."""

    stream: int


class Case(NamedTuple):
    """What is sent, and what must follow."""

    section: str
    what: str
    steps: Sequence[bytes | Until]
    #: The reason that the standard asks for, of the stream's reset or the connection's end.
    reason: int
    #: A stream's error may end the connection, too (section 5.4.2), but not the other way round.
    of_stream: bool = False


def head(stream: int = 1, payload: bytes = HEAD, flags: int = END_STREAM | END_HEADERS) -> bytes:
    return frame(HEADERS, flags, stream, payload)


def post(stream: int = 1, payload: bytes = POST) -> bytes:
    """A request whose body is to come."""
    return head(stream, payload, END_HEADERS)


def data(payload: bytes = b"data", stream: int = 1, flags: int = END_STREAM) -> bytes:
    return frame(DATA, flags, stream, payload)


def setting(number: int, value: int) -> bytes:
    return frame(SETTINGS, payload=struct.pack(">HI", number, value))


def window(increment: int, stream: int = 0) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


def reset(stream: int = 1, code: int = 8) -> bytes:
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def priority(stream: int, depends: int = 0, weight: int = 0) -> bytes:
    return frame(PRIORITY, 0, stream, struct.pack(">IB", depends, weight))


#: What is right, however odd: a request behind it is answered.
FINE = {
    "2 PRIORITY on an idle stream": [priority(1), head(3)],
    "2 WINDOW_UPDATE on a half-closed stream": [head(1), window(100, 1), head(3)],
    "2 PRIORITY on a half-closed stream": [head(1), priority(1), head(3)],
    "2 RST_STREAM on a half-closed stream": [head(1), reset(1), head(3)],
    "2 PRIORITY on a closed stream": [head(1), Until(1), priority(1), head(3)],
    "2 WINDOW_UPDATE on a closed stream": [head(1), Until(1), window(100, 1), head(3)],
    "2 RST_STREAM on a closed stream": [head(1), Until(1), reset(1), head(3)],
    "3.4 SETTINGS behind the preface": [setting(3, 10), setting(4, 1 << 16), head(3)],
    "4.1 an unknown kind of frame": [frame(0x16, 0xFF, 0, b"unknown"), head(3)],
    "4.1 an unknown kind of frame on a stream": [post(1), frame(0xBE, 1, 1, b"x"), reset(1), head(3)],
    "4.1 undefined flags": [frame(PING, 0xFE, 0, PONG), head(3)],
    "4.1 the reserved bit": [frame(PING, 0, 1 << 31, PONG), head(3)],
    "4.2 DATA of 16384 bytes": [post(1), data(bytes(16384)), head(3)],
    "5.1.1 stream numbers with gaps": [head(1), head(101), head(303, HEAD), head(2_000_003)],
    "5.3.1 PRIORITY with weights": [priority(1, 0, 0), priority(3, 1, 255), priority(5, 1 << 31, 7), head(3)],
    "6.1 DATA in pieces": [post(1), data(flags=0), data(flags=0), data(), head(3)],
    "6.1 padded DATA": [post(1), data(b"\x06dataPADDED", flags=PADDED | END_STREAM), head(3)],
    "6.1 DATA that is nothing but padding": [post(1), data(b"\x03abc", flags=PADDED | END_STREAM), head(3)],
    "6.1 empty DATA with the end": [post(1), data(), Until(1), post(3), data(b"", 3)],
    "6.2 padded HEADERS": [head(3, b"\x04" + HEAD + bytes(4), END_STREAM | END_HEADERS | PADDED)],
    "6.2 HEADERS with priority": [head(3, bytes(5) + HEAD, END_STREAM | END_HEADERS | WITH_PRIORITY)],
    "6.2 HEADERS that depend on an idle stream": [
        head(3, struct.pack(">IB", 77, 8) + HEAD, END_STREAM | END_HEADERS | WITH_PRIORITY)
    ],
    "6.4 RST_STREAM with an unknown reason": [post(1), reset(1, 0xFF), head(3)],
    "6.5 empty SETTINGS": [frame(SETTINGS), head(3)],
    "6.5.2 an unknown setting": [setting(0xFF, 1), head(3)],
    "6.5.2 a large header table": [setting(1, 1 << 20), head(3)],
    "6.5.2 no header table": [setting(1, 0), head(3)],
    "6.5.2 pushes allowed and not": [setting(2, 1), setting(2, 0), head(3)],
    "6.5.2 a header list of one byte": [setting(6, 1), head(3)],
    "6.5.3 a setting twice": [
        frame(SETTINGS, payload=struct.pack(">HIHI", 4, 1, 4, 1 << 16)),
        head(3),
    ],
    "6.7 an answer to no PING": [frame(PING, ACK, 0, b"nothing!"), head(3)],
    "6.8 GOAWAY with an unknown reason": [
        head(3),
        Until(3),
        frame(GOAWAY, 0, 0, struct.pack(">II", 0, 0xFF)),
    ],
    "6.9.2 a window that shrinks while an answer waits": [
        setting(4, 0),
        head(3),
        setting(4, 3),
        setting(4, 2),
        setting(4, 1 << 16),
    ],
    "6.9.1 the largest window": [window(MOST - 65535), head(1), Until(1), head(3)],
    "6.10 CONTINUATION": [head(3, HEAD[:9], END_STREAM), frame(CONTINUATION, END_HEADERS, 3, HEAD[9:])],
    "6.10 several CONTINUATIONs": [
        head(3, HEAD[:5], END_STREAM),
        frame(CONTINUATION, 0, 3, HEAD[5:20]),
        frame(CONTINUATION, 0, 3, b""),
        frame(CONTINUATION, END_HEADERS, 3, HEAD[20:]),
    ],
    "8.1 a body and trailers": [post(1), data(flags=0), head(1, block([("x-sum", "1")])), head(3)],
}


@pytest.mark.parametrize("name", FINE)
def test_what_is_allowed(server: Server, name: str) -> None:
    with Http2(server.address) as client:
        last = _play(client, FINE[name])
        if last == 3:
            assert client.answer(3).status == 200
        if not name.startswith("6.8"):
            client.send(frame(PING, payload=PONG) + frame(PING, payload=b"the last"))
            while (one := client.read_frame()) is not None and one.payload != b"the last":
                assert one.kind != GOAWAY
            assert one, "the connection lives"


CASES = [
    Case("4.2", "DATA beyond the largest frame", [post(), data(bytes(16385))], SIZE, True),
    Case("4.2", "HEADERS beyond the largest frame", [head(1, HEAD + block([("x", "y" * 17000)]))], SIZE),
    Case("4.3", "PRIORITY in the middle of a head", [head(1, HEAD, END_STREAM), priority(1)], PROTOCOL),
    Case("4.3", "a head in another", [head(1, HEAD, END_STREAM), head(3)], PROTOCOL),
    Case("5.1", "DATA on an idle stream", [data()], PROTOCOL),
    Case("5.1", "RST_STREAM on an idle stream", [reset()], PROTOCOL),
    Case("5.1", "WINDOW_UPDATE on an idle stream", [window(100, 1)], PROTOCOL),
    Case("5.1", "CONTINUATION on an idle stream", [frame(CONTINUATION, END_HEADERS, 1, HEAD)], PROTOCOL),
    Case("5.1", "DATA when half closed", [head(), data()], CLOSED, True),
    Case("5.1", "HEADERS when half closed", [head(), head()], CLOSED, True),
    Case("5.1", "CONTINUATION when half closed", [head(), frame(CONTINUATION, 4, 1, HEAD)], PROTOCOL),
    Case(
        "5.1", "CONTINUATION behind RST_STREAM", [post(), reset(), frame(CONTINUATION, 4, 1, HEAD)], PROTOCOL
    ),
    Case("5.1", "DATA when closed", [head(), Until(1), data()], CLOSED, True),
    Case("5.1", "HEADERS when closed", [head(), Until(1), head()], CLOSED, True),
    Case("5.1", "CONTINUATION when closed", [head(), Until(1), frame(CONTINUATION, 4, 1, HEAD)], PROTOCOL),
    Case("5.1.1", "an even stream", [head(2)], PROTOCOL),
    Case("5.1.1", "a smaller stream than before", [head(5), head(3)], PROTOCOL),
    Case(
        "5.3.1", "HEADERS that depend on themselves", [head(1, b"\0\0\0\1\x08" + HEAD, 0x25)], PROTOCOL, True
    ),
    Case("5.3.1", "PRIORITY that depends on itself", [post(), priority(1, 1)], PROTOCOL, True),
    Case("5.5", "an unknown frame in a head", [head(1, HEAD, 1), frame(0xEE, 0, 1, b"x")], PROTOCOL),
    Case("6.1", "DATA on stream 0", [post(), data(stream=0)], PROTOCOL),
    Case("6.1", "padding beyond DATA", [post(), data(b"\x05data", flags=PADDED)], PROTOCOL),
    Case("6.1", "padded DATA without a length", [post(), data(b"", flags=PADDED)], SIZE),
    Case("6.2", "HEADERS on stream 0", [head(0)], PROTOCOL),
    Case(
        "6.2",
        "padding beyond HEADERS",
        [head(1, b"\xff" + HEAD, END_STREAM | END_HEADERS | PADDED)],
        PROTOCOL,
    ),
    Case("6.2", "HEADERS too short for priority", [head(1, b"\0\0", 0x25)], SIZE),
    Case("6.3", "PRIORITY on stream 0", [priority(0)], PROTOCOL),
    Case("6.3", "PRIORITY of four bytes", [post(), frame(PRIORITY, 0, 1, bytes(4))], SIZE, True),
    Case("6.4", "RST_STREAM on stream 0", [reset(0)], PROTOCOL),
    Case("6.4", "RST_STREAM of three bytes", [post(), frame(RST_STREAM, 0, 1, bytes(3))], SIZE),
    Case("6.5", "an acknowledgement with settings", [frame(SETTINGS, ACK, 0, bytes(6))], SIZE),
    Case("6.5", "SETTINGS on a stream", [frame(SETTINGS, 0, 1, struct.pack(">HI", 3, 100))], PROTOCOL),
    Case("6.5", "SETTINGS of three bytes", [frame(SETTINGS, 0, 0, bytes(3))], SIZE),
    Case("6.5.2", "ENABLE_PUSH 2", [setting(2, 2)], PROTOCOL),
    Case("6.5.2", "a window beyond the largest", [setting(4, 1 << 31)], FLOW),
    Case("6.5.2", "a frame size below the least", [setting(5, 16383)], PROTOCOL),
    Case("6.5.2", "a frame size beyond the largest", [setting(5, 1 << 24)], PROTOCOL),
    Case("6.6", "PUSH_PROMISE", [post(), frame(PUSH_PROMISE, 4, 1, b"\0\0\0\2" + HEAD)], PROTOCOL),
    Case("6.7", "PING on a stream", [frame(PING, 0, 1, PONG)], PROTOCOL),
    Case("6.7", "PING of six bytes", [frame(PING, 0, 0, b"short!")], SIZE),
    Case("6.8", "GOAWAY on a stream", [frame(GOAWAY, 0, 1, bytes(8))], PROTOCOL),
    Case("6.8", "GOAWAY of four bytes", [frame(GOAWAY, 0, 0, bytes(4))], SIZE),
    Case("6.9", "WINDOW_UPDATE by 0", [window(0)], PROTOCOL),
    Case("6.9", "WINDOW_UPDATE by 0 on a stream", [post(), window(0, 1)], PROTOCOL, True),
    Case("6.9", "WINDOW_UPDATE of three bytes", [frame(WINDOW_UPDATE, 0, 0, bytes(3))], SIZE),
    Case("6.9.1", "a connection's window overflows", [window(MOST), window(MOST)], FLOW),
    Case("6.9.1", "a stream's window overflows", [post(), window(MOST, 1), window(MOST, 1)], FLOW, True),
    Case(
        "6.9.2",
        "a setting makes a window overflow",
        [post(), window(MOST - 65535, 1), setting(4, MOST)],
        FLOW,
    ),
    Case("6.10", "DATA in the middle of a head", [head(1, HEAD, 1), data()], PROTOCOL),
    Case("6.10", "CONTINUATION on stream 0", [head(1, HEAD, 1), frame(CONTINUATION, 4, 0, b"")], PROTOCOL),
    Case(
        "6.10", "CONTINUATION of another stream", [head(1, HEAD, 1), frame(CONTINUATION, 4, 3, b"")], PROTOCOL
    ),
    Case("6.10", "CONTINUATION behind a whole head", [post(), frame(CONTINUATION, 4, 1, HEAD)], PROTOCOL),
    Case(
        "6.10",
        "CONTINUATION behind the last",
        [head(1, HEAD[:9], 1), frame(CONTINUATION, 4, 1, HEAD[9:]), frame(CONTINUATION, 4, 1, b"")],
        PROTOCOL,
    ),
    Case("6.10", "CONTINUATION behind DATA", [post(), data(), frame(CONTINUATION, 4, 1, HEAD)], PROTOCOL),
    Case("8.1", "a second head that is not the last", [post(), post()], PROTOCOL, True),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.section} {case.what}")
def test_what_is_not(server: Server, case: Case) -> None:
    with Http2(server.address) as client:
        last = _play(client, case.steps)
        stream, reason = _error(client)
        assert reason in (case.reason, PROTOCOL), CODES.get(reason, reason)
        if stream:
            assert case.of_stream and stream == last
            # What is wrong with a stream is no matter to the others.
            client.request(101)
            assert client.answer(101).status == 200
    with Http2(server.address) as client:
        client.request(1)
        assert client.answer(1).status == 200


def _play(client: Http2, steps: Sequence[bytes | Until]) -> int:
    """Does what the steps say; gives the last stream that a request was sent on, or a frame."""
    last = 0
    for step in steps:
        if isinstance(step, Until):
            assert client.answer(step.stream).status == 200
            last = 0
            continue
        client.send(step)
        last = int.from_bytes(step[5:9], "big") & MOST or last
    return last


def _error(client: Http2) -> tuple[int, int]:
    """The next error: its stream, or 0 for the connection's end, which must follow then; and its reason."""
    while (one := client.read_frame()) is not None:
        client.keep(one)
        if one.kind == RST_STREAM:
            return one.stream, one.code
        if one.kind == GOAWAY:
            reason = one.code
            rest = client.frames(until=-1)
            assert all(after.kind == GOAWAY for after in rest), rest
            return 0, reason
    raise AssertionError("the connection ended without a word")


@pytest.mark.parametrize("garbage", [b"INVALID CONNECTION PREFACE\r\n\r\n", PREFACE[:18] + b"XX\r\n\r\n"])
def test_3_4_a_preface_that_is_none(server: Server, garbage: bytes) -> None:
    with Connection(server.address) as client:
        client.send(garbage)
        response = client.read_response()
        assert response.status in (400, 505)
        client.assert_closed()


@pytest.mark.parametrize("first", [frame(PING, payload=PONG), head(), frame(SETTINGS, ACK), window(1)])
def test_3_4_settings_come_first(server: Server, first: bytes) -> None:
    """Behind the preface another frame than SETTINGS is an error; it may also be borne."""
    with Connection(server.address) as client:
        client.send(PREFACE + first)
        frames = client.read_exactly(9)
        assert frames[3] == SETTINGS, "what the server says first"


def test_4_1_frames_in_single_bytes(server: Server) -> None:
    with Http2(server.address) as client:
        for byte in head(1) + frame(PING, payload=PONG):
            client.send(bytes([byte]))
        assert client.answer(1).body == b"hello"


def test_5_1_2_streams_beyond_what_is_allowed(server: Server) -> None:
    with Http2(server.address) as client:
        for number in range(1, 203, 2):
            client.send(post(number))
        stream, reason = _error(client)
        assert (stream, reason) == (201, REFUSED)
        client.send(data(stream=1))
        assert client.answer(1).body == b"data"


def test_6_5_3_settings_are_acknowledged(server: Server) -> None:
    with Http2(server.address) as client:
        client.send(setting(4, 100) + setting(5, 1 << 20))
        acknowledged = 0
        while acknowledged < 3:
            one = client.read_frame()
            assert one is not None
            acknowledged += one.kind == SETTINGS and one.flags == ACK and not one.payload


def test_6_7_pings_are_answered(server: Server) -> None:
    with Http2(server.address) as client:
        client.send(frame(PING, payload=PONG))
        pong = client.frames(until=PING)[-1]
        assert (pong.flags, pong.stream, pong.payload) == (ACK, 0, PONG)


@pytest.mark.parametrize("size", [1, 3])
def test_6_9_no_more_than_the_window(server: Server, size: int) -> None:
    with Http2(server.address, struct.pack(">HI", 4, size)) as client:
        client.request(1)
        got = b""
        while len(got) < 5:
            one = client.frames(until=DATA)[-1]
            assert 1 <= len(one.payload) <= size
            got += one.payload
            client.send(window(len(one.payload), 1))
        assert got == b"hello"


def test_6_9_2_a_window_may_be_negative(server: Server) -> None:
    with Http2(server.address, struct.pack(">HI", 4, 3)) as client:
        client.request(1)
        assert client.frames(until=DATA)[-1].payload == b"hel"
        # Three were sent, so two below nothing.
        client.send(setting(4, 1))
        client.send(window(2, 1) + frame(PING, payload=PONG))
        assert all(one.kind != DATA for one in client.frames(until=PING))
        client.send(window(1, 1))
        assert client.frames(until=DATA)[-1].payload == b"l"
