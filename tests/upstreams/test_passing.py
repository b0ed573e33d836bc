"""What an upstream gets of a request, and the client of the answer."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
from typing import TYPE_CHECKING, Callable

import pytest

from tests.server import Server
from tests.upstreams.backend import OK, Backend
from tests.wire import Connection, Truncated, chunked, exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

Front = Callable[..., Server]


def test_fields_of_the_client_s_connection_stay_here(front: Front) -> None:
    with Backend() as backend:
        server = front([backend.url])
        request = (
            b"GET /a%20b?c=d#e HTTP/1.1\r\nHost: shop.example\r\nConnection: X-Mine, keep-alive\r\nX-Mine: 1\r\n"
            b"Keep-Alive: timeout=5\r\nTE: trailers\r\nUpgrade: websocket\r\nProxy: evil\r\nTapster-Client: x\r\n"
            b"X_Forwarded_For: 6.6.6.6\r\nX-Other: kept\r\n\r\n"
        )
        assert exchange(server.address, request).status == 200
        assert backend.heads[0].startswith(b"GET /a%20b?c=d HTTP/1.1\r\nHost: shop.example\r\n")
        fields = backend.fields()
        assert set(fields) == {
            "host",
            "x-other",
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-forwarded-host",
            "x-request-start",
            "via",
        }
        # As nginx's `t=${msec}`.
        assert abs(time.time() - float(fields["x-request-start"][2:])) < 60
        assert fields["via"] == "1.1 tapster"


def test_who_the_client_is_says_the_front_alone(front: Front) -> None:
    spoofed = (
        b"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nForwarded: for=6.6.6.6\r\n"
        b"X-Real-IP: 6.6.6.6\r\nX-Forwarded-Prefix: /x\r\nConnection: X-Forwarded-For\r\nX-Request-Start: t=1\r\n"
    )
    request = b"GET / HTTP/1.1\r\nHost: shop.example\r\n" + spoofed + b"\r\n"
    with Backend() as backend:
        server = front([backend.url], "--forwarded-allow-ips", "10.0.0.0/8")
        exchange(server.address, request)
        fields = backend.fields()
    assert fields["x-forwarded-for"] == "127.0.0.1"
    assert (fields["x-forwarded-proto"], fields["x-forwarded-host"]) == ("http", "shop.example")
    assert fields["x-request-start"] != "t=1"
    assert not {"forwarded", "x-real-ip", "x-forwarded-prefix"} & set(fields)


def test_a_proxy_that_is_believed_is_added_to(front: Front) -> None:
    said = (
        b"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 7.7.7.7\r\n"
        b"X-Forwarded-Proto: https\r\nForwarded: for=6.6.6.6\r\nVia: 2 a\r\n"
    )
    with Backend() as backend:
        server = front([backend.url], "--forwarded-allow-ips", "127.0.0.1")
        exchange(server.address, b"GET / HTTP/1.1\r\nHost: a\r\n" + said + b"\r\n")
        fields = backend.fields()
    assert fields["x-forwarded-for"] == "6.6.6.6, 7.7.7.7, 127.0.0.1"
    assert fields["x-forwarded-proto"] == "https"
    assert fields["forwarded"] == "for=6.6.6.6, for=127.0.0.1;proto=http"
    assert fields["via"] == "2 a, 1.1 tapster"


def test_by_default_the_scheme_alone_is_believed(front: Front) -> None:
    said = b"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n"
    with Backend() as backend:
        server = front([backend.url])
        exchange(server.address, b"GET / HTTP/1.1\r\nHost: a\r\n" + said + b"\r\n")
        fields = backend.fields()
    assert (fields["x-forwarded-for"], fields["x-forwarded-proto"]) == ("127.0.0.1", "https")
    assert fields["x-forwarded-host"] == "a"


def test_absolute_form_and_http_10(front: Front) -> None:
    with Backend() as backend:
        server = front([backend.url])
        exchange(server.address, b"GET http://b.example/x?y HTTP/1.1\r\nHost: a\r\n\r\n")
        assert backend.heads[-1].startswith(b"GET /x?y HTTP/1.1\r\nHost: b.example\r\n")
        exchange(server.address, b"GET / HTTP/1.0\r\n\r\n")
        assert backend.heads[-1].startswith(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        exchange(server.address, b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
        assert backend.heads[-1].startswith(b"OPTIONS * HTTP/1.1\r\n")


def test_a_body_in_chunks_is_sent_with_its_length(front: Front) -> None:
    with Backend() as backend:
        server = front([backend.url])
        request = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(
            b"one", b"two"
        )
        assert exchange(server.address, request, "POST").status == 200
        assert backend.bodies == [b"onetwo"]
        assert backend.fields()["content-length"] == "6"
        assert "transfer-encoding" not in backend.fields()


def test_an_upstream_is_not_asked_before_the_body_is_there(front: Front) -> None:
    with Backend() as backend:
        server = front([backend.url])
        with Connection(server.address) as connection:
            connection.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
            connection.assert_silent()
            assert backend.connections == 0
            connection.send(b"cd")
            assert connection.read_response("POST").status == 200
        assert backend.bodies == [b"abcd"]


def test_a_body_too_large_for_memory_waits_in_a_file(front: Front, tmp_path: Path) -> None:
    body = bytes(range(256)) * 12_000
    with Server.start("plain:application") as upstream:
        server = front([f"http://{upstream.address}"], "--temp-dir", str(tmp_path))
        response = exchange(server.address, http_request("POST", "/digest", body=body), "POST")
        assert response.body.decode() == f"{len(body)} {hashlib.sha256(body).hexdigest()}"
        response = exchange(server.address, http_request("POST", "/echo", body=body), "POST")
        assert response.body == body
    assert list(tmp_path.iterdir()) == []


def test_no_room_for_a_large_body_is_said(front: Front) -> None:
    with Backend() as backend:
        server = front([backend.url], "--spool-max", "1MiB")
        with Connection(server.address) as connection:
            connection.send(
                b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n" + bytes(3_000_000)
            )
            assert connection.read_response("POST").status == 503
        assert backend.heads == []


def test_connections_are_kept(front: Front) -> None:
    with Backend() as backend:
        server = front([backend.url])
        with Connection(server.address) as connection:
            for _ in range(20):
                connection.send(http_request("GET", "/"))
                assert connection.read_response().body == b"ok"
        assert len(backend.heads) == 20
        assert backend.connections == 1


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\n\r\nbody",
        b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nbody",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nUpgrade: h2c\r\n\r\nbody",
    ],
)
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_answers_are_framed_anew(front: Front, said: bytes, version: bytes) -> None:
    with Backend(said) as backend, Connection(front([backend.url]).address) as connection:
        for _ in range(2 if version == b"1.1" else 1):
            connection.send(b"GET / HTTP/" + version + b"\r\nHost: a\r\n\r\n")
            response = connection.read_response()
            assert response.body == b"body"
            assert response.chunked == (version == b"1.1" and b"Content-Length" not in said)
            assert response.get("date") is not None
            assert not any(response.get(name) for name in ("x-hop", "keep-alive", "upgrade"))
        if version == b"1.0":
            connection.assert_closed()


def test_a_head_and_a_304_have_no_body(front: Front) -> None:
    with Backend(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n") as backend:
        server = front([backend.url])
        with Connection(server.address) as connection:
            for _ in range(2):
                connection.send(http_request("HEAD", "/"))
                assert connection.read_response("HEAD").get("content-length") == "999"
    with Backend(b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n") as backend:
        assert exchange(front([backend.url]).address, http_request("GET", "/")).status == 304


def test_interim_answers_are_passed_on(front: Front) -> None:
    said = (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x\r\n\r\n"
        + OK
    )
    with Backend(said) as backend, Connection(front([backend.url]).address) as connection:
        connection.send(http_request("GET", "/"))
        hints = connection.read_until(b"\r\n\r\n")
        assert hints == b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
        assert connection.read_response().body == b"ok"


def test_an_answer_streams(front: Front) -> None:
    seen = threading.Event()

    def slowly(_head: bytes, _body: bytes, connection: socket.socket) -> bytes:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        assert seen.wait(20)
        return b"3\r\ntwo\r\n0\r\n\r\n"

    with Backend(slowly) as backend, Connection(front([backend.url]).address) as connection:
        connection.send(http_request("GET", "/"))
        connection.read_head()
        assert connection.read_chunk() == b"one"
        seen.set()
        assert connection.read_chunk() == b"two"


def test_an_answer_that_stops_is_not_made_whole(front: Front) -> None:
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nhalf"
    with Backend(said) as backend, Connection(front([backend.url]).address) as connection:
        connection.send(http_request("GET", "/"))
        with pytest.raises(Truncated):
            connection.read_response()


def test_uwsgi_says_the_same_as_http(front: Front) -> None:
    seen: list[dict[str, list[object]]] = []
    with Server.start("environ_page:application", "--bind", "127.0.0.1:0") as upstream:
        for url in (f"http://{upstream.address}", f"uwsgi://{upstream.address}"):
            server = front([url])
            request = http_request("POST", "/a%20b?c=d", {"Cookie": "a=1", "X-Some": "y"}, body=b"body")
            response = exchange(server.address, request, "POST")
            assert response.status == 200, server.log.text()
            page = json.loads(response.body)
            seen.append({name: value for name, value in page.items() if name.isupper()})
            server.close()
    by_http, by_uwsgi = seen
    # Another port, and what the front says of its own listener.
    for name in (
        "REMOTE_PORT",
        "SERVER_PORT",
        "HTTP_HOST",
        "HTTP_X_FORWARDED_HOST",
        "HTTP_X_REQUEST_START",
        "REQUEST_SCHEME",
        "RAW_URI",
    ):
        by_http.pop(name, None)
        by_uwsgi.pop(name, None)
    assert by_uwsgi == by_http
    assert by_http["PATH_INFO"][1] == "/a b"
    assert by_http["CONTENT_LENGTH"][1] == "4"
    assert by_http["REMOTE_ADDR"][1] == "127.0.0.1"


def test_a_head_too_large_for_uwsgi_is_refused(front: Front) -> None:
    with Server.start("plain:application") as upstream:
        server = front(
            [f"uwsgi://{upstream.address}"],
            "--limit-request-head",
            "200KiB",
            "--limit-request-line",
            "100KiB",
        )
        request = b"GET /?" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"
        assert exchange(server.address, request).status == 431


def test_uwsgi_answers_in_the_form_of_cgi(front: Front) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    server = front([f"uwsgi://127.0.0.1:{listener.getsockname()[1]}"])
    with listener, Connection(server.address) as connection:
        connection.send(http_request("GET", "/"))
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.recv(65536)[0] == 0
            accepted.sendall(b"Status: 404 Not Found\r\nContent-Type: text/plain\r\n\r\nnothing")
        response = connection.read_response()
    assert (response.status, response.body, response.get("status")) == (404, b"nothing", None)


def test_files_come_before_upstreams(front: Front, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("file")
    with Backend() as backend:
        server = front([backend.url], "--static", f"/={tmp_path}")
        assert exchange(server.address, http_request("GET", "/a.txt")).body == b"file"
        assert exchange(server.address, http_request("GET", "/b.txt")).body == b"ok"


def test_files_alone(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("file")
    with (
        Server.start("front", "--static", f"/={tmp_path}") as server,
        Connection(server.address) as connection,
    ):
        for _ in range(2):
            connection.send(http_request("GET", "/a.txt") + http_request("POST", "/b", body=b"x"))
            assert connection.read_response().body == b"file"
            assert connection.read_response("POST").status == 404


def test_early_hints_are_passed_on(front: Front) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"
    with Backend(hints * 2 + OK) as backend:
        server = front([backend.url])
        with Connection(server.address) as client:
            for _ in range(2):
                client.send(http_request())
                for _ in range(2):
                    hint = client.read_head()
                    assert (hint.status, hint.all("Link")) == (103, ["</a>; rel=preload"])
                    assert hint.get("Date") is None
                answer = client.read_response()
                assert (answer.status, answer.body, answer.get("Link")) == (200, b"ok", None)
        # A client of HTTP/1.0 knows none (RFC 9110 section 15.2).
        assert exchange(server.address, http_request(version="1.0")).status == 200


def test_a_client_is_who_its_proxy_names(front: Front) -> None:
    """By that the upstream is chosen, and that is logged: the address of the proxy is the same for all."""
    with Backend() as one, Backend() as two:
        options = ("--balance", "hash", "--forwarded-allow-ips", "127.0.0.1", "--access-log", "on")
        server = front([one.url, two.url], *options)
        for number in range(1, 33):
            fields = {"X-Forwarded-For": f"6.6.6.6, 192.0.2.{number}"}
            for _ in range(2):
                assert exchange(server.address, http_request("GET", f"/{number}", fields)).status == 200
        for number in range(1, 33):
            count = sum(backend_has(backend, number) > 0 for backend in (one, two))
            assert count == 1, "the same client has the same upstream"
            server.log.wait_for(rf'192\.0\.2\.{number} - - .*"GET /{number} HTTP/1.1" 200 ')
        assert one.heads and two.heads


def backend_has(backend: Backend, number: int) -> int:
    """How many requests for a number it got."""
    return sum(head.startswith(b"GET /%d HTTP" % number) for head in backend.heads)
