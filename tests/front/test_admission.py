"""Who may come in, and how often: lists of clients, and limits for each of them."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Callable

import pytest

from tests.front.http2_frames import DATA, HEADERS, Http2
from tests.front.nearby import nearby
from tests.server import Server
from tests.upstreams.backend import OK, Backend
from tests.wire import Broken, Connection, Response, Truncated, exchange, http_request

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

    from tests.address import Address

#: Starts a server with these options, before an application or an upstream.
Start = Callable[..., Server]


@pytest.fixture(params=["workers", "upstream"])
def start(request: pytest.FixtureRequest) -> Iterator[Start]:
    """Both ways in which the front passes requests on."""
    started: list[Server] = []
    backend = Backend()

    def one(*options: str) -> Server:
        first = ("plain:application",) if request.param == "workers" else ("front", "--upstream", backend.url)
        started.append(Server.start(*first, *options))
        return started[-1]

    yield one
    for server in started:
        server.close()
    backend.close()


def status(address: Address, target: str = "/hello", **fields: str) -> int:
    """What a client gets."""
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return exchange(address, http_request(target=target, fields=named)).status


def is_served(address: Address) -> bool:
    """Whether a connection gets an answer, rather than its end."""
    with suppress(Truncated, Broken, ConnectionError):
        return status(address) > 0
    return False


def test_requests_beyond_the_limit_get_429(start: Start) -> None:
    server = start("--limit-requests", "2/h", "--access-log", "on")
    with Connection(server.address) as connection:
        responses: list[Response] = []
        for _ in range(5):
            connection.send(http_request(target="/hello"))
            responses.append(connection.read_response())
        response, statuses = responses[-1], [one.status for one in responses]
        assert response.body == b"429 Too Many Requests: this client asks too often\n"
        assert not response.closes
        assert 0 < int(response.get("Retry-After") or 0) <= 1800
        connection.send(http_request("HEAD", "/hello"))
        assert connection.read_response("HEAD").status == 429
        connection.send(http_request("POST", "/hello", body=b"x" * 100))
        assert connection.read_response("POST").closes
    assert statuses[2:] == [429, 429, 429]
    assert 429 not in statuses[:2]
    assert status(nearby(server.address, "127.0.0.2")) != 429
    server.log.wait_for(r'"GET /hello HTTP/1.1" 429')
    (line,) = server.log.find("--limit-requests")
    assert "127.0.0.1: refused with 429: more requests than --limit-requests 2/h" in line


def test_every_stream_of_http2_counts(start: Start) -> None:
    server = start("--limit-requests", "3/h")
    with Http2(server.address) as client:
        answers: list[int] = []
        for stream in range(1, 11, 2):
            client.request(stream)
            head = client.frames(until=HEADERS, stream=stream)[-1]
            # The first field of an answer, indexed (RFC 7541 appendix A): 8 is 200, 13 is 404; others are spelled out.
            answers.append(head.payload[0])
            client.frames(until=DATA, stream=stream)
    assert set(answers[:3]) == {0x88}
    assert 0x88 not in answers[3:]
    server.log.wait_for("--limit-requests")
    assert len(server.log.find("--limit-requests")) == 1


def test_a_limit_for_some_paths(start: Start) -> None:
    server = start("--limit-requests", "/login=1/h", "--limit-requests", "100/s,burst=1000")
    assert status(server.address, "/login") != 429
    for target in (
        "/login",
        "/login/x?y",
        "//login",
        "/%6cogin",
        "/x/../login",
        "/./login/",
        "http://a/login",
    ):
        assert status(server.address, target) == 429, target
    for target in ("/", "/loginx", "/x/login", "/hello?/login"):
        assert status(server.address, target) != 429, target
    assert "--limit-requests /login=1/h" in server.log.wait_for("--limit-requests").string


def test_the_client_is_who_a_trusted_proxy_says(start: Start) -> None:
    server = start("--limit-requests", "1/h", "--forwarded-allow-ips", "127.0.0.1")
    proxy, stranger = server.address, nearby(server.address, "127.0.0.9")
    assert status(proxy, X_Forwarded_For="192.0.2.1") != 429
    assert status(proxy, X_Forwarded_For="192.0.2.1") == 429
    assert status(proxy, X_Forwarded_For="6.6.6.6, 192.0.2.1, 127.0.0.1") == 429
    assert status(proxy, X_Forwarded_For="192.0.2.2") != 429
    assert status(proxy, Forwarded="for=192.0.2.1") == 429
    # A customer's network is one client.
    assert status(proxy, X_Forwarded_For="2001:db8::1") != 429
    assert status(proxy, Forwarded='for="[2001:db8::2]:80"') == 429
    assert status(proxy, X_Forwarded_For="2001:db8:0:1::1") != 429
    # Nobody else is believed.
    assert status(stranger, X_Forwarded_For="192.0.2.3") != 429
    assert status(stranger, X_Forwarded_For="192.0.2.4") == 429
    server.log.wait_for(r"2001:db8::/64: refused with 429")


@pytest.mark.parametrize("version", [b"1", b"2"])
def test_the_client_is_who_a_proxy_header_names(start: Start, version: bytes) -> None:
    server = start("--limit-requests", "1/h", "--proxy-protocol", "auto", "--deny", "192.0.2.66")

    def ask(last: int) -> int:
        header = b"PROXY TCP4 192.0.2.%d 192.0.2.100 50123 80\r\n" % last
        if version == b"2":
            ends = bytes([192, 0, 2, last, 192, 0, 2, 100]) + b"\0\1\0\2"
            header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + ends
        return exchange(server.address, header + http_request(target="/hello")).status

    assert [ask(1), ask(1), ask(2)] == [200, 429, 200]
    with pytest.raises((Truncated, Broken, ConnectionError)):
        ask(66)
    server.log.wait_for("192.0.2.66: refused: on the list of --deny")


def test_connections_beyond_the_limit_are_closed(start: Start) -> None:
    server = start("--limit-connections", "2")
    with Connection(server.address) as first, Http2(server.address) as second:
        first.send(http_request(target="/hello"))
        assert first.read_response().status == 200
        for stream in (1, 3):
            second.request(stream)
            second.frames(until=DATA, stream=stream)
        assert not is_served(server.address)
        assert is_served(nearby(server.address, "127.0.0.2"))
        server.log.wait_for("127.0.0.1: refused a connection: more connections than --limit-connections 2")
        first.close()
        deadline = time.monotonic() + 20
        while not is_served(server.address):
            assert time.monotonic() < deadline, "its end makes room"
            time.sleep(0.02)


def test_of_clients_behind_a_proxy_the_requests_count() -> None:
    began, go_on = threading.Event(), threading.Event()

    def wait(head: bytes, _body: bytes, _connection: socket.socket) -> bytes:
        if head.startswith(b"GET /wait "):
            began.set()
            go_on.wait(10)
        return OK

    options = ("--limit-connections", "1", "--forwarded-allow-ips", "127.0.0.1")
    with (
        Backend(wait) as backend,
        Server.start("front", "--upstream", backend.url, *options) as server,
        Connection(server.address) as waiting,
    ):
        client = {"X-Forwarded-For": "192.0.2.1"}
        waiting.send(http_request(target="/wait", fields=client))
        assert began.wait(10)
        assert status(server.address, X_Forwarded_For="192.0.2.1") == 429
        assert status(server.address, X_Forwarded_For="192.0.2.2") == 200
        go_on.set()
        assert waiting.read_response().status == 200
        waiting.send(http_request(fields=client))
        assert waiting.read_response().status == 200


def test_a_dry_run_only_tells(start: Start) -> None:
    server = start("--limit-requests", "1/h", "--limit-connections", "1", "--limit-dry-run")
    with Connection(server.address):
        assert [status(server.address) for _ in range(3)] == [200, 200, 200]
    server.log.wait_for("127.0.0.1: would be refused with 429: more requests than")
    server.log.wait_for("127.0.0.1: would be refused a connection: more connections than")


def test_some_have_no_limits(start: Start) -> None:
    server = start("--limit-requests", "1/h", "--limit-connections", "1", "--limit-exempt", "127.0.0.0/30")
    with Connection(server.address):
        assert [status(server.address) for _ in range(3)] == [200, 200, 200]
    stranger = nearby(server.address, "127.0.0.9")
    assert [status(stranger), status(stranger)] == [200, 429]


def test_lists_are_asked_when_a_connection_comes(start: Start) -> None:
    server = start("--allow", "127.0.0.0/28", "--deny", "127.0.0.3,2001:db8::/32", "--access-log", "on")
    assert is_served(server.address)
    for source, which in (
        ("127.0.0.3", "on the list of --deny"),
        ("127.0.0.16", "not on the list of --allow"),
    ):
        assert not is_served(nearby(server.address, source))
        server.log.wait_for(f"{source}: refused: {which}")


def test_lists_for_some_paths(start: Start) -> None:
    server = start("--allow", "/admin=127.0.0.2", "--deny", "/shop/=127.0.0.2")
    friend = nearby(server.address, "127.0.0.2")
    with Connection(server.address) as connection:
        for target in ("/admin", "/admin/x", "//admin", "/%61dmin", "/shop/../admin"):
            connection.send(http_request(target=target))
            response = connection.read_response()
            assert (response.status, response.body) == (403, b"403 Forbidden\n"), target
        connection.send(http_request(target="/hello"))
        assert connection.read_response().status == 200
    assert status(friend, "/admin") != 403
    assert status(friend, "/shop") == 403
    assert status(server.address, "/shop") != 403


def test_a_client_behind_a_proxy_gets_403(start: Start) -> None:
    server = start("--allow", "192.0.2.0/24", "--forwarded-allow-ips", "127.0.0.1")
    assert status(server.address, X_Forwarded_For="192.0.2.1") == 200
    assert status(server.address, X_Forwarded_For="192.0.3.1") == 403
    assert status(server.address, Forwarded="for=192.0.3.1") == 403
    assert status(server.address) == 403, "nobody says who it is, so it is the proxy"
    assert not is_served(nearby(server.address, "127.0.0.9"))


def test_a_unix_socket_has_to_be_listed(start: Start, tmp_path: Path) -> None:
    bind = f"unix:{tmp_path}/s"
    server = start("--allow", "192.0.2.0/24", "--forwarded-allow-ips", "unix", "--bind", bind)
    assert status(server.unix) == 403
    assert status(server.unix, X_Forwarded_For="192.0.2.1") == 200
    server.close()
    assert status(start("--allow", "192.0.2.0/24,unix", "--bind", bind).unix) == 200


def test_hup_reads_the_lists_anew(tmp_path: Path) -> None:
    path = tmp_path / "deny"
    path.write_text("# nobody yet\n")
    with (
        Server.start("plain:application", "--deny", f"file:{path}") as server,
        Connection(server.address) as connection,
    ):
        connection.send(http_request())
        assert connection.read_response().status == 200
        path.write_text("127.0.0.1 ; us\n")
        mark = server.log.mark()
        server.send(signal.SIGHUP)
        server.log.wait_for("the lists of clients were read anew: 1 networks", mark)
        connection.send(http_request())
        assert connection.read_response().status == 403
        assert not is_served(server.address)
        path.write_text("nonsense\n")
        server.send(signal.SIGHUP)
        server.log.wait_for("the lists of clients stay as they were: .*line 1: .*nonsense", mark)
        assert not is_served(server.address)
        path.write_text("")
        mark = server.log.mark()
        server.send(signal.SIGHUP)
        server.log.wait_for("read anew: 0 networks", mark)
        assert is_served(server.address)


def test_a_list_that_cannot_be_read_is_named_at_the_start(tmp_path: Path) -> None:
    server = Server("plain:application", "--bind", "127.0.0.1:0", "--allow", f"file:{tmp_path}/nowhere")
    try:
        server.log.wait_for(r"cannot read .*/nowhere: No such file .*\(--allow\)")
        assert server.process.wait(10) != 0
    finally:
        server.close()
