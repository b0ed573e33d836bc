"""`--stream-body` behind a front: own workers and upstreams get a request body while it arrives."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from tests.front.http2_frames import DATA, END_HEADERS, END_STREAM, HELLO, Http2, frame
from tests.server import Server
from tests.upstreams.backend import OK, Backend
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator

APP = "streamed:application"
CHUNKED = {"Transfer-Encoding": "chunked"}
STREAMS = ("--stream-body", "--threads", "2", "--bind", "127.0.0.1:0")


@pytest.fixture(scope="module", params=["workers", "http", "uwsgi"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A front before workers of its own, and before others."""
    empty = tmp_path_factory.mktemp("empty")
    kind = request.param
    if kind == "workers":
        with Server.start(APP, *STREAMS, "--static", f"/s/={empty}") as own:
            yield own
        return
    with Server.start(APP, *STREAMS) as upstream:
        url = f"{kind}://{upstream.address}"
        with Server.start("front", "--upstream", url, "--stream-body", "--io-timeout", "20s") as front:
            yield front


def length(count: int) -> dict[str, str]:
    return {"Content-Length": str(count)}


def test_lines_come_back_before_the_rest_is_sent(server: Server) -> None:
    with Connection(server.address, timeout=30) as client:
        client.send(http_request("POST", "/lines", length(15)))
        head = None
        for line in (b"one\n", b"two\n"):
            client.send(line)
            head = head or client.read_head()
            assert client.read_chunk() == line
        client.send(b"the end")
        assert (client.read_chunk(), client.read_chunk()) == (b"the end", b"")
        client.send(http_request())
        assert client.read_response().body == b"hello"


def test_a_body_that_is_there_is_no_other(server: Server) -> None:
    with Connection(server.address, timeout=30) as client:
        for _ in range(3):
            client.send(http_request("POST", "/lines", body=b"one\ntwo\n"))
            assert client.read_response().body == b"one\ntwo\n"


def test_a_large_body_comes_back_whole(server: Server) -> None:
    body = b"".join(b"%07d\n" % number for number in range(1 << 15))
    with Connection(server.address, timeout=60) as client:
        sending = threading.Thread(
            target=client.send, args=(http_request("POST", "/lines", length(len(body))) + body,)
        )
        sending.start()
        assert client.read_response().body == body
        sending.join()
        client.send(http_request())
        assert client.read_response().body == b"hello"


def test_clients_of_http2_too(server: Server) -> None:
    with Http2(server.address) as client:
        client.socket.settimeout(30)
        fields = {**dict(HELLO), ":method": "POST", ":path": "/lines", "content-length": "8"}
        client.request(1, fields.items(), flags=0)
        client.send(frame(DATA, stream=1, payload=b"one\n"))
        answer = client.answer(until=END_HEADERS)
        assert answer.status == 200
        while b"one\n" not in answer.body:
            one = client.read_frame()
            assert one is not None
            if one.kind == DATA:
                answer.body += one.payload
        client.send(frame(DATA, END_STREAM, 1, b"two\n"))
        assert client.answer().body == b"one\ntwo\n"


def test_chunks_of_unknown_number() -> None:
    """Over HTTP they come back one by one; a uwsgi upstream gets the body when its length is known."""
    with Server.start(APP, *STREAMS) as upstream:
        front = Server.start("front", "--upstream", f"http://{upstream.address}", "--stream-body")
        with front, Connection(front.address, timeout=30) as client:
            client.send(http_request("POST", "/lines", CHUNKED))
            head = None
            for line in (b"one\n", b"two\n"):
                client.send(b"4\r\n" + line + b"\r\n")
                head = head or client.read_head()
                assert client.read_chunk() == line
            client.send(b"0\r\n\r\n")
            assert client.read_chunk() == b""
        with Server.start("front", "--upstream", f"uwsgi://{upstream.address}", "--stream-body") as front:
            body = b"4\r\none\n\r\n4\r\ntwo\n\r\n0\r\n\r\n"
            assert (
                exchange(front.address, http_request("POST", "/lines", CHUNKED) + body).body == b"one\ntwo\n"
            )


def test_a_client_that_leaves_is_seen() -> None:
    """By the upstream, whose connection ends in the middle of the body."""
    seen: list[bytes] = []
    began, ended = threading.Event(), threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def take() -> None:
        connection, _ = listener.accept()
        with connection:
            while not seen or seen[-1] != b"":
                try:
                    seen.append(connection.recv(65536))
                except ConnectionError:
                    break
                if b"part" in b"".join(seen):
                    began.set()
        ended.set()

    threading.Thread(target=take, daemon=True).start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with Server.start("front", "--upstream", url, "--stream-body") as front:
        client = Connection(front.address)
        client.send(http_request("POST", "/", length(1000)) + b"part")
        assert began.wait(20)
        client.reset()
        assert ended.wait(20)
        assert b"Content-Length: 1000\r\n" in b"".join(seen)
    listener.close()


def test_an_upstream_that_is_silent_is_504() -> None:
    hold = threading.Event()

    def silent(_head: bytes, _body: bytes, _connection: socket.socket) -> bytes:
        hold.wait(30)
        return OK

    with Backend(silent) as backend:
        front = Server.start("front", "--upstream", backend.url, "--stream-body", "--answer-timeout", "300ms")
        with front, Connection(front.address, timeout=30) as client:
            client.send(http_request("POST", "/", length(8)) + b"half")
            client.send(b"half")
            assert client.read_response().status == 504
        hold.set()


def test_one_that_refuses_is_heard() -> None:
    """Its answer comes before the body is over; the client's connection ends."""
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
    listener = socket.create_server(("127.0.0.1", 0))

    def refuse() -> None:
        connection, _ = listener.accept()
        with connection:
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(65536)
            connection.sendall(refusal)

    threading.Thread(target=refuse, daemon=True).start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    front = Server.start("front", "--upstream", url, "--stream-body")
    with front, Connection(front.address, timeout=30) as client:
        client.send(http_request("POST", "/", length(1 << 20)))
        response = client.read_response()
        assert (response.status, response.body, response.closes) == (413, b"no", True)
    listener.close()
