"""Many sites and many upstreams: by host and path."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Callable

import pytest

from tests.control.operator import Operator
from tests.front.conftest import put
from tests.server import Server, run
from tests.upstreams.backend import Backend, answer
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.wire import Response

Sited = Callable[[str], Server]


@pytest.fixture
def sited(tmp_path: Path) -> Iterator[Sited]:
    """Starts a front with this configuration file."""
    started: list[Server] = []

    def start(text: str) -> Server:
        (tmp_path / "tapster.toml").write_text(text)
        server = Server.start("front", "--control-socket", str(tmp_path / "control"), cwd=tmp_path)
        started.append(server)
        return server

    yield start
    for server in started:
        server.close()


def ask(server: Server, host: str, target: str = "/", method: str = "GET") -> Response:
    """One request on a connection of its own."""
    return exchange(server.address, http_request(method, target, {"Host": host}))


def named(name: str) -> Backend:
    """An upstream that says its name."""
    text = name.encode()
    return Backend(answer(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text)))


def test_hosts_are_told_apart(sited: Sited) -> None:
    with named("one") as one, named("below") as below, named("rest") as rest:
        server = sited(
            f"""
            [front]
            upstream = "{rest.url}"
            [front.sites."example.com"]
            hosts = ["www.example.com"]
            upstream = "{one.url}"
            [front.sites."*.example.com"]
            upstream = "{below.url}"
            """
        )
        for host, name in [
            ("example.com", b"one"),
            ("EXAMPLE.com.:8080", b"one"),
            ("www.example.com", b"one"),
            ("a.example.com", b"below"),
            ("a.b.example.com", b"below"),
            ("notexample.com", b"rest"),
            ("127.0.0.1", b"rest"),
        ]:
            assert ask(server, host).body == name, host
        assert one.fields(0)["host"] == "example.com"
        whole = b"GET http://example.com/ HTTP/1.1\r\nHost: other\r\n\r\n"
        assert exchange(server.address, whole).body == b"one"


def test_a_name_without_a_site_is_misdirected(sited: Sited) -> None:
    server = sited('[front.sites."example.com"]\nanswer = "200 here"\n')
    assert ask(server, "example.com").body == b"here\n"
    found = ask(server, "example.org")
    assert (found.status, found.closes) == (421, False)


def test_the_longest_prefix_wins(sited: Sited) -> None:
    with named("root") as root, named("api") as api, named("v2") as v2:
        server = sited(
            f"""
            [front.sites.default]
            upstream = "{root.url}"
            [front.sites.default.routes."/api/"]
            upstream = "{api.url}"
            [front.sites.default.routes."/api/v2"]
            upstream = "{v2.url}"
            """
        )
        for target, name in [
            ("/", b"root"),
            ("/apis", b"root"),
            ("/api", b"api"),
            ("/api?x=/api/v2", b"api"),
            ("/api/v2", b"v2"),
            ("/api/v2/x", b"v2"),
            ("/api/v20", b"api"),
            ("/%61pi/v2", b"v2"),
            ("//api/v2", b"v2"),
            ("/api/./v2/x", b"v2"),
            ("/x/../api/a", b"api"),
            ("/api/v2/../v1", b"api"),
        ]:
            assert ask(server, "any", target).body == name, target
        # What is passed on is what the client sent.
        assert api.heads[-1].startswith(b"GET /api/v2/../v1 HTTP/1.1\r\n")


def test_a_prefix_is_taken_away(sited: Sited) -> None:
    with Backend() as backend:
        server = sited(
            f"""
            [front.sites.default.routes."/app"]
            upstream = "{backend.url}"
            strip-prefix = true
            """
        )
        for target, left in [
            ("/app/a%20b?c", "/a%20b?c"),
            ("/app", "/"),
            ("/app?x", "/?x"),
            ("/%61pp/b", "/b"),
        ]:
            assert ask(server, "any", target).status == 200
            assert backend.heads[-1].startswith(f"GET {left} HTTP/1.1\r\n".encode())
            assert backend.fields()["x-forwarded-prefix"] == "/app"
        for target in ("//app/x", "/app//evil", "/app/a/%2e%2e/x", "/./app/x"):
            assert ask(server, "any", target).status == 400, target
        assert ask(server, "any", "/").status == 404


def test_redirects_and_own_answers(sited: Sited) -> None:
    server = sited(
        """
        [front.sites."example.com"]
        redirect = "https://www.example.com"
        [front.sites."example.com".routes."/old"]
        redirect = "/new$uri"
        code = 302
        [front.sites."example.com".routes."/gone"]
        answer = "410 it is gone"
        [front.sites."example.com".routes."/quiet"]
        answer = 204
        [front.sites."a.example.com"]
        redirect = "https"
        code = 307
        [front.sites."b.example.com"]
        redirect = "http://$host.example.org/landing"
        """
    )
    for host, target, status, location in [
        ("example.com:81", "/a%20b?c=d", 301, "https://www.example.com/a%20b?c=d"),
        ("example.com", "/old/x?y", 302, "/new/old/x?y"),
        ("B.example.com", "/a", 301, "http://b.example.com.example.org/landing"),
    ]:
        found = ask(server, host, target)
        assert (found.status, found.get("Location")) == (status, location)
    assert ask(server, "example.com", "/", "POST").status == 308
    assert (ask(server, "a.example.com").get("Location") or "").startswith("https://a.example.com")
    found = ask(server, "example.com", "/gone")
    assert (found.status, found.reason, found.body) == (410, "Gone", b"it is gone\n")
    assert ask(server, "example.com", "/quiet").status == 204


def test_files_of_a_site_and_of_a_route(sited: Sited, tmp_path: Path) -> None:
    put(tmp_path / "one" / "a.txt", b"one")
    put(tmp_path / "two" / "a.txt", b"two")
    with named("app") as app:
        server = sited(
            f"""
            [front.sites."one.example"]
            static = {{ "/files/" = "./one" }}
            upstream = "{app.url}"
            [front.sites."two.example".routes."/docs"]
            static = "./two"
            [front.sites."two.example".routes."/mixed"]
            static = "./two"
            upstream = "{app.url}"
            """
        )
        for host, target, status, body in [
            ("one.example", "/files/a.txt", 200, b"one"),
            ("one.example", "/files/b.txt", 200, b"app"),
            ("two.example", "/docs/a.txt", 200, b"two"),
            ("two.example", "/docs/b.txt", 404, b"404 Not Found\n"),
            ("two.example", "/mixed/a.txt", 200, b"two"),
            ("two.example", "/mixed/b.txt", 200, b"app"),
            ("two.example", "/files/a.txt", 404, b"404 Not Found\n"),
        ]:
            found = ask(server, host, target)
            assert (found.status, found.body) == (status, body), (host, target)


def test_groups_have_options_of_their_own(sited: Sited, tmp_path: Path) -> None:
    with named("one") as one, named("two") as two, named("other") as other:
        server = sited(
            f"""
            [front]
            balance = "round-robin"
            [front.groups.app]
            upstream = ["{one.url}", "{two.url} weight=3"]
            [front.groups.slow]
            upstream = "{other.url}"
            balance = "sticky"
            sticky-cookie = "where"
            [front.sites.default]
            upstream = "app"
            [front.sites.default.routes."/slow"]
            upstream = "slow"
            """
        )
        for _ in range(8):
            assert ask(server, "any").status == 200
        assert (len(one.heads), len(two.heads)) == (2, 6)
        assert (ask(server, "any", "/slow").get("Set-Cookie") or "").startswith("where=")
        hosts = json.loads(Operator(server, tmp_path / "control").say("status", "--json"))["front"][
            "upstreams"
        ]
        found = sorted((host["group"], host["name"], host["requests"]) for host in hosts)
        assert found == sorted([("app", one.url, 2), ("app", two.url, 6), ("slow", other.url, 1)])


def test_a_mistake_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "tapster.toml").write_text(
        '[front.sites."example.com"]\nupstream = "ap"\n[front.groups.app]\nupstream = "http://a"\n'
    )
    done = run("front", cwd=tmp_path)
    assert done.returncode == 2
    assert "tapster.toml:2: upstream: unknown group ap\nhint: did you mean app?" in done.stderr
