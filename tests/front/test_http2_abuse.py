"""Clients of HTTP/2 that cost more than they pay: floods, streams that are never read, bodies that nobody reads. And what is
promised to all others while the server changes: no request is lost.
"""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import struct
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.front.conftest import LARGE, pid_of
from tests.front.http2_frames import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    HELLO,
    PING,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Http2,
    block,
    frame,
)
from tests.server import wait_gone

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve
    from tests.server import Server

#: Reasons (RFC 9113 section 7).
NO_ERROR, INTERNAL, CALM = 0, 2, 11

METHOD, SCHEME, PATH, AUTHORITY = HELLO
POST = block([(":method", "POST"), SCHEME, (":path", "/digest"), AUTHORITY])

FLOODS = {
    "PING": frame(PING, payload=b"pingpong"),
    "SETTINGS": frame(SETTINGS, payload=struct.pack(">HI", 4, 65535)),
    "empty SETTINGS": frame(SETTINGS),
    "PRIORITY": frame(PRIORITY, 0, 1, bytes(5)),
    "WINDOW_UPDATE": frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)),
    "RST_STREAM": frame(RST_STREAM, 0, 1, struct.pack(">I", 8)),
    "unknown frames": frame(0xEE, 0, 0),
    "empty DATA": frame(DATA, 0, 3),
    "DATA of a byte": frame(DATA, 0, 3, b"x"),
}


@pytest.mark.parametrize("name", FLOODS)
def test_frames_that_carry_nothing_end_the_connection(server: Server, name: str) -> None:
    """In their thousands; a few hundred are nobody's business."""
    with Http2(server.address) as client:
        client.request(1)
        assert client.answer(1).status == 200
        client.send(frame(HEADERS, END_HEADERS, 3, POST))
        some = 50 if "DATA" in name else 500
        client.send(FLOODS[name] * some)
        client.request(5)
        assert client.answer(5).status == 200
        sender = threading.Thread(target=_send_all, args=(client.socket, FLOODS[name] * 300_000))
        sender.start()
        goaway = client.answer(7).goaway
        client.socket.close()
        sender.join()
        assert goaway in (CALM, None)


def _send_all(connection: socket.socket, data: bytes) -> None:
    try:
        connection.sendall(data)
    except OSError:
        return


def test_a_flood_holds_nobody_up(server: Server) -> None:
    """One that goes on for as long as it is read, beside a client that asks."""
    with Http2(server.address) as rude, Http2(server.address) as polite:
        sender = threading.Thread(target=_send_all, args=(rude.socket, FLOODS["unknown frames"] * 1_000_000))
        sender.start()
        for stream in range(1, 41, 2):
            polite.request(stream)
            assert polite.answer(stream).status == 200
        with suppress(OSError):
            rude.socket.shutdown(socket.SHUT_RDWR)
        sender.join()


@pytest.mark.parametrize(
    "wrong",
    [frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", (1 << 31) - 1)), frame(DATA, 0, 1, b"xx")],
    ids=["a window that overflows", "a body beyond its length"],
)
def test_streams_that_the_client_has_us_reset(server: Server, wrong: bytes) -> None:
    """CVE-2025-8671: each is a request that was begun for nothing, so they are counted."""
    fields = block([(":method", "POST"), SCHEME, (":path", "/hello"), AUTHORITY, ("content-length", "1")])
    with Http2(server.address) as client:
        flood = b"".join(
            frame(HEADERS, END_HEADERS, number, fields) + wrong[:5] + struct.pack(">I", number) + wrong[9:]
            for number in range(1, 4001, 2)
        )
        sender = threading.Thread(target=_send_all, args=(client.socket, flood))
        sender.start()
        goaway = client.answer(99_999).goaway
        client.socket.close()
        sender.join()
        assert goaway in (CALM, None)


def test_who_reads_nothing_is_let_go(serve: Serve, site: Path) -> None:
    """Its windows are open, its socket is not read: time ends that, for what runs and for what was answered."""
    times = ("--io-timeout", "1s", "--min-rate-after", "1s")
    server = serve("plain:application", "--static", f"/static/={site}/public", "--log-level", "debug", *times)
    with Http2(server.address, struct.pack(">HI", 4, 1 << 30)) as client:
        client.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 30)))
        for stream in range(1, 199, 2):
            client.request(stream, [METHOD, SCHEME, (":path", "/static/large.bin"), AUTHORITY])
        server.log.wait_for("HTTP/2 ended: the client reads too slowly", timeout=60)
        # What the sockets held is still there, and then it is over.
        assert len(client.frames(until=-1)) < 99 * len(LARGE) // 16384


def test_a_body_that_nobody_reads_stays_with_its_client(serve: Serve, site: Path) -> None:
    """The worker is stopped, so the front has nobody to give it to: the windows stay shut, and open again with the worker."""
    server = serve("plain:application", "--static", f"/static/={site}/public", "--workers", "1")
    worker = pid_of(server, "tapster-w")[0]
    body = LARGE * 8
    fields = block([(":method", "POST"), SCHEME, (":path", "/digest"), AUTHORITY])
    with Http2(server.address) as client:
        client.request(1)
        assert client.answer(1).status == 200
        upload = Upload(client, 3, body)
        client.send(frame(HEADERS, END_HEADERS, 3, fields))
        os.kill(worker, signal.SIGSTOP)
        try:
            quiet = 0
            while quiet < 5 and not upload.is_over:
                moved = upload.send()
                quiet = 0 if moved else quiet + 1
                upload.wait_for_pong()
            assert upload.sent < 4 << 20, "no more than windows and sockets hold"
        finally:
            os.kill(worker, signal.SIGCONT)
        while not upload.is_over:
            upload.send()
            upload.wait_for_pong()
        expected = f"{len(body)} {hashlib.sha256(body).hexdigest()}".encode()
        assert client.answer(3).body == expected


class Upload:
    """A body that is sent as the windows allow."""

    def __init__(self, client: Http2, stream: int, body: bytes) -> None:
        self.client, self.stream, self.body = client, stream, body
        self.sent = 0
        # What the server's first frames said, which were read before.
        client.send(frame(SETTINGS, ACK))
        self.windows = {0: 1 << 20, stream: 256 * 1024}
        self.pause = threading.Event()

    @property
    def is_over(self) -> bool:
        """All of it was sent."""
        return self.sent == len(self.body)

    def send(self) -> bool:
        """Sends what there is room for; whether that was something."""
        before = self.sent
        while (room := min(16384, *self.windows.values())) > 0 and not self.is_over:
            piece = self.body[self.sent : self.sent + room]
            self.sent += len(piece)
            self.client.send(frame(DATA, END_STREAM * self.is_over, self.stream, piece))
            for stream in self.windows:
                self.windows[stream] -= len(piece)
        return self.sent > before

    def wait_for_pong(self) -> None:
        """Hears what the server says until it answers a PING, which it does not at once."""
        if self.is_over:
            return
        self.pause.wait(0.05)
        self.client.send(frame(PING, payload=b"and now?"))
        for one in self.client.frames(until=PING):
            if one.kind == WINDOW_UPDATE and one.stream in self.windows:
                self.windows[one.stream] += one.code


def test_an_answer_that_is_cut_short_is_no_whole_one(serve: Serve, site: Path, tmp_path: Path) -> None:
    """The application raises in the middle: the client is told, and it is not taken for the client's doing."""
    static = ("--static", f"/static/={site}/public")
    server = serve("faulty:application", *static, env={"EVENTS": str(tmp_path / "events")})
    with Http2(server.address) as client:
        for stream in range(1, 261, 2):
            client.request(stream, [METHOD, SCHEME, (":path", "/breaks"), AUTHORITY])
            answer = client.answer(stream)
            assert answer.reset == INTERNAL, answer


class Patient:
    """A client that asks on, several requests at a time, and does what RFC 9113 section 6.8 says when the server goes."""

    def __init__(self, server: Server, target: str) -> None:
        self.server, self.target = server, target
        self.answered = 0
        self.connections = 0
        self.failures: list[str] = []
        self.enough = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def stop(self) -> None:
        """No more requests."""
        self.enough.set()
        self.thread.join()

    def _run(self) -> None:
        while not self.enough.is_set():
            self.connections += 1
            try:
                with Http2(self.server.address) as client:
                    self._ask_on(client)
            except OSError as error:
                self.failures.append(repr(error))
                return

    def _ask_on(self, client: Http2) -> None:
        head = block([METHOD, SCHEME, (":path", self.target), AUTHORITY])
        open_streams: set[int] = set()
        stream, is_going = 1, False
        while (not is_going and not self.enough.is_set()) or open_streams:
            while len(open_streams) < 8 and not is_going and not self.enough.is_set():
                client.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, head))
                open_streams.add(stream)
                stream += 2
            one = client.read_frame()
            if one is None or (one.kind == GOAWAY and one.code != NO_ERROR) or one.kind == RST_STREAM:
                self.failures.append(f"{one} with {sorted(open_streams)} open")
                return
            if one.kind == GOAWAY:
                is_going = True
                last = struct.unpack_from(">I", one.payload)[0]
                open_streams = {number for number in open_streams if number <= last}
            if one.kind in (HEADERS, DATA) and one.flags & END_STREAM:
                open_streams.remove(one.stream)
                self.answered += 1


def test_a_reload_of_workers_loses_no_stream(serve: Serve, site: Path) -> None:
    server = serve("plain:application", "--static", f"/static/={site}/public", "--workers", "2")
    clients = [Patient(server, "/hello") for _ in range(4)]
    try:
        for _ in range(3):
            before = pid_of(server, "tapster-w")
            server.send(signal.SIGHUP)
            wait_gone(before, 60)
    finally:
        for client in clients:
            client.stop()
    assert all(not client.failures and client.answered for client in clients), [c.failures for c in clients]
    assert all(client.connections == 1 for client in clients), "the front stays"


def test_a_reload_of_a_front_alone_keeps_its_connections(serve: Serve, site: Path) -> None:
    """Its configuration is read anew in the same process."""
    server = serve("front", "--static", f"/static/={site}/public", "--workers", "2")
    clients = [Patient(server, "/static/css/a.css") for _ in range(4)]
    try:
        for _ in range(3):
            mark = server.log.mark()
            server.send(signal.SIGHUP)
            server.log.wait_for("reloaded in", mark, timeout=60.0)
    finally:
        for client in clients:
            client.stop()
    assert all(not client.failures and client.answered for client in clients), [c.failures for c in clients]
    assert {client.connections for client in clients} == {1}


def test_goaway_says_which_streams_are_served(serve: Serve, site: Path) -> None:
    """First that it goes, then the last stream that is served: what was on its way between the two is."""
    server = serve("plain:application", "--static", f"/static/={site}/public")
    with Http2(server.address) as client:
        client.request(1)
        assert client.answer(1).status == 200
        server.send(signal.SIGTERM)
        first = client.frames(until=GOAWAY)[-1]
        assert struct.unpack(">II", first.payload) == ((1 << 31) - 1, NO_ERROR)
        client.request(3)
        ping = client.frames(until=PING)[-1]
        client.send(frame(PING, ACK, 0, ping.payload))
        rest = client.frames(until=-1)
        last = [one for one in rest if one.kind == GOAWAY][-1]
        assert struct.unpack(">II", last.payload) == (3, NO_ERROR)
        assert [one.payload for one in rest if one.kind == DATA] == [b"hello"]
    assert server.wait() == 0
