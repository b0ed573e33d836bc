"""Files that an upstream has sent (`X-Accel-Redirect`, `X-Sendfile`), where its site allows that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable
from urllib.parse import urlencode

import pytest

from tests.front.conftest import LARGE, SMALL, put
from tests.server import Server
from tests.upstreams.backend import Backend
from tests.upstreams.test_sites import ask, sited
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["sited"]

Front = Callable[..., Server]

SAID = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Type: text/x-own\r\nX-Accel-Redirect: /protected/a.css\r\n\r\nown"


def get(server: Server, name: str, method: str = "GET") -> bytes:
    """The body, where the upstream has this one sent."""
    target = f"/?{urlencode({'X-Accel-Redirect': name})}"
    return exchange(server.address, http_request(method, target), method).body


@pytest.mark.parametrize("protocol", ["http", "uwsgi"])
def test_an_upstream_has_a_file_sent(front: Front, tmp_path: Path, protocol: str) -> None:
    put(tmp_path / "files" / "a.css", SMALL)
    put(tmp_path / "files" / "large.bin", LARGE)
    put(tmp_path / "secret.txt", b"SECRET")
    with Server.start("sends_files:application", "--bind", "127.0.0.1:0") as upstream:
        options = ("--static-internal", f"/protected/={tmp_path}/files")
        server = front([f"{protocol}://{upstream.address} slots=1"], *options)
        assert get(server, "/protected/a.css") == SMALL
        assert get(server, "/protected/large.bin") == LARGE
        assert get(server, "/protected/a.css", "POST") == SMALL
        assert get(server, "/protected/a.css", "HEAD") == b""
        for name in ("/protected/../secret.txt", "/protected/%2e%2e/secret.txt", "/elsewhere/a.css", "/"):
            assert get(server, name) == b""
        # No client can ask for them.
        direct = exchange(server.address, http_request("GET", "/protected/a.css"))
        assert direct.body == b"the application's own body"


def test_its_connection_is_kept(front: Front, tmp_path: Path) -> None:
    put(tmp_path / "a.css", SMALL)
    with Backend(SAID) as backend:
        server = front([f"{backend.url} slots=1"], "--static-internal", f"/protected/={tmp_path}")
        for _ in range(3):
            found = exchange(server.address, http_request("GET", "/"))
            assert (found.status, found.body, found.get("Content-Type")) == (200, SMALL, "text/x-own")
            assert found.get("X-Accel-Redirect") is None
        assert backend.connections == 1


def test_only_where_the_site_says_so(sited: Callable[[str], Server], tmp_path: Path) -> None:
    put(tmp_path / "files" / "a.css", SMALL)
    with Backend(SAID) as backend:
        server = sited(
            f"""
            [front]
            upstream = "{backend.url}"
            [front.sites."files.example"]
            upstream = "{backend.url}"
            static-internal = {{ "/protected/" = "./files" }}
            [front.sites."other.example"]
            upstream = "{backend.url}"
            """
        )
        assert ask(server, "files.example").body == SMALL
        for host in ("other.example", "else.example"):
            found = ask(server, host)
            assert (found.body, found.get("X-Accel-Redirect")) == (b"own", "/protected/a.css")
