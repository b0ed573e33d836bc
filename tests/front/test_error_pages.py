"""`--error-page`: what clients see of errors, whoever makes them."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from tests.front.conftest import put
from tests.server import Server, run
from tests.upstreams.backend import Backend
from tests.upstreams.test_renewal import Operated
from tests.wire import Connection, Response, exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

PAGE = b"<h1>down</h1>\n"
NOT_FOUND = (
    b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nETag: x\r\nSet-Cookie: a=b\r\n"
    b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nown"
)


def ask(
    server: Server, target: str = "/", fields: dict[str, str] | None = None, method: str = "GET"
) -> Response:
    return exchange(server.address, http_request(method, target, fields), method)


def assert_page(answer: Response, status: int, body: bytes = PAGE) -> None:
    assert (answer.status, answer.body) == (status, body)
    assert answer.get("Content-Type") == "text/html; charset=utf-8"
    assert answer.all("Content-Length") == [str(len(PAGE))]


def test_errors_of_the_front(tmp_path: Path) -> None:
    put(tmp_path / "down.html", PAGE)
    put(tmp_path / "down.json", b"{}")
    put(tmp_path / "public" / "a.css", b"css")
    options = (
        *("--error-page", "502,4xx=down.html", "--error-page", "5xx=down.json", "--hold", "0s"),
        *("--static", "/static/=public", "--response-header", "X-Rule: 1"),
    )
    with Backend() as gone:
        url = gone.url
    with Server.start("front", "--upstream", url, *options, cwd=tmp_path) as server:
        answer = ask(server)
        assert_page(answer, 502)
        assert (answer.get("X-Rule"), answer.get("Vary")) == ("1", "Accept")
        assert_page(ask(server, method="HEAD"), 502, b"")
        assert_page(ask(server, "/static/a.css", {"Range": "bytes=9-"}), 416)
        assert_page(ask(server, "/static/a.css", method="PUT"), 405)
        with Connection(server.address) as client:
            client.send(b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n")
            assert_page(client.read_response(), 400)
        # Programs get what they asked for.
        for accept in ("application/json", "application/problem+json, */*;q=0.1"):
            plain = ask(server, "/", {"Accept": accept})
            assert (plain.status, plain.body, plain.get("Content-Type")) == (502, b"{}", "application/json")
        assert_page(ask(server, "/", {"Accept": "text/html, application/json"}), 502)
        plain = ask(server, "/static/a.css", {"Range": "bytes=9-", "Accept": "application/json"})
        assert (plain.status, plain.body) == (416, b"")
        command = ["curl", "-sS", "--http2-prior-knowledge", f"http://{server.address}/"]
        assert subprocess.run(command, capture_output=True, timeout=60, check=True).stdout == PAGE


def test_errors_of_others_are_left_alone_unless_asked(tmp_path: Path) -> None:
    put(tmp_path / "404.html", PAGE)
    with Backend(NOT_FOUND) as backend:
        upstream = ("front", "--upstream", backend.url, "--error-page", "404=404.html")
        with Server.start(*upstream, cwd=tmp_path) as server:
            assert ask(server).body == b"own"
        with Server.start(*upstream, "--intercept-errors", "on", cwd=tmp_path) as server:
            with Connection(server.address) as client:
                for method, body in (("GET", PAGE), ("HEAD", b""), ("GET", PAGE)):
                    client.send(http_request(method, "/"))
                    answer = client.read_response(method)
                    assert_page(answer, 404, body)
                    assert answer.get("Set-Cookie") == "a=b"
                    assert answer.get("ETag") is None and answer.get("Content-Encoding") is None
            assert ask(server, "/", {"Accept": "application/json"}).body == b"own"


def test_errors_of_the_application(tmp_path: Path) -> None:
    put(tmp_path / "page.html", PAGE)
    options = ("--error-page", f"401={tmp_path}/page.html", "--intercept-errors", "on", "--cache", "1MiB")
    with Server.start("plain:application", *options) as server, Connection(server.address) as client:
        for _ in range(3):
            client.send(http_request("GET", "/unread"))
            assert_page(client.read_response(), 401)
        client.send(http_request("GET", "/hello"))
        assert client.read_response().body == b"hello"


def test_sites_and_routes_have_their_own(tmp_path: Path) -> None:
    put(tmp_path / "top.html", b"top")
    put(tmp_path / "site.html", b"site")
    put(tmp_path / "route.html", b"route")
    text = """
        [front]
        error-page = ["4xx=top.html", "503=top.html"]
        [front.sites."a.test"]
        answer = "404"
        error-page = "404=site.html"
        [front.sites."a.test".routes."/x"]
        answer = "503"
        error-page = ["5xx=route.html"]
        [front.sites."a.test".routes."/said"]
        answer = "503 back at noon"
        """
    (tmp_path / "tapster.toml").write_text(text)
    with Server.start("front", "--control-socket", str(tmp_path / "control"), cwd=tmp_path) as server:

        def at(host: str, target: str) -> bytes:
            return ask(server, target, {"Host": host}).body

        assert at("a.test", "/") == b"site"
        assert at("a.test", "/x") == b"route"
        assert at("a.test", "/said") == b"back at noon\n"
        assert at("b.test", "/") == b"top"
        put(tmp_path / "site.html", b"new")
        Operated(server, tmp_path / "control").reload(text)
        assert at("a.test", "/") == b"new"


def test_a_page_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "large.html").write_bytes(b"a" * (1024 * 1024 + 1))
    for name, why in (("none.html", "No such file"), ("large.html", "1048576 bytes"), (".", "no file")):
        found = run("plain:application", "--error-page", f"502={tmp_path}/{name}", "--bind", "127.0.0.1:0")
        assert found.returncode != 0
        assert "--error-page" in found.stderr and why in found.stderr, found.stderr
    found = run("plain:application", "--error-page", "200=a.html")
    assert "200=a.html" in found.stderr
