"""Files that the application has sent by X-Accel-Redirect and X-Sendfile, which no client can ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from tests.front.conftest import LARGE, SMALL, put
from tests.server import Server
from tests.wire import Connection, Response, exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OWN = b"the application's own body"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files for the application, one beside their directory, and a public one."""
    base = tmp_path_factory.mktemp("internal")
    put(base / "files" / "a.css", SMALL)
    put(base / "files" / "a.css.gz", b"gzipped")
    put(base / "files" / "large.bin", LARGE)
    put(base / "files" / "caf\u00e9 100%.txt", b"odd name")
    put(base / "files" / ".hidden", b"hidden")
    put(base / "public" / "b.css", SMALL)
    put(base / "secret.txt", b"SECRET")
    (base / "files" / "outside").symlink_to("../secret.txt")
    return base


@pytest.fixture(scope="module")
def server(files: Path) -> Iterator[Server]:
    options = ("--static", f"/static/={files}/public", "--static-internal", f"/protected/={files}/files/")
    with Server.start("sends_files:application", *options, "--access-log", "on") as started:
        yield started


def get(
    server: Server, said: dict[str, str], fields: dict[str, str] | None = None, method: str = "GET"
) -> Response:
    target = f"/?{urlencode(said)}"
    return exchange(server.address, http_request(method, target, fields), method)


def accel(name: str) -> dict[str, str]:
    return {"X-Accel-Redirect": f"/protected/{name}"}


def test_the_application_has_a_file_sent(server: Server, files: Path) -> None:
    for said in (accel("a.css"), accel("a.css?x=y"), {"X-Sendfile": f"{files}/files/a.css"}):
        found = get(server, said, {"Accept-Encoding": "gzip"})
        assert (found.status, found.body) == (200, SMALL), said
        assert found.get("Content-Type") == "text/css; charset=utf-8"
        assert found.get("ETag") and found.get("Last-Modified") and found.get("Accept-Ranges") == "bytes"
        assert found.get("X-Accel-Redirect") is None and found.get("X-Sendfile") is None
        assert found.get("X-Other") is None and found.get("Cache-Control") is None
    assert get(server, accel("large.bin")).body == LARGE
    assert get(server, accel("caf%C3%A9%20100%25.txt")).body == b"odd name"
    assert get(server, {"X-Sendfile": f"{files}/files/.hidden"}).body == b"hidden"


def test_what_the_application_says_of_it(server: Server) -> None:
    said = {
        **accel("a.css"),
        "Content-Type": "text/x-own",
        "Content-Disposition": 'attachment; filename="b"',
        "Cache-Control": "private",
        "Expires": "0",
        "Set-Cookie": "a=b",
        "ETag": '"own"',
    }
    found = get(server, said)
    for name in ("Content-Type", "Content-Disposition", "Cache-Control", "Expires", "Set-Cookie"):
        assert found.get(name) == said[name]
    assert found.get("ETag") != '"own"'
    assert found.get("Content-Length") == str(len(SMALL))


def test_conditions_and_ranges(server: Server) -> None:
    etag = get(server, accel("a.css")).get("ETag") or ""
    found = get(server, {**accel("a.css"), "Set-Cookie": "a=b"}, {"If-None-Match": etag})
    assert (found.status, found.body, found.get("ETag"), found.get("Set-Cookie")) == (304, b"", etag, "a=b")
    found = get(server, accel("large.bin"), {"Range": "bytes=10-19"})
    assert (found.status, found.body) == (206, LARGE[10:20])
    found = get(server, accel("a.css"), {"Range": "bytes=999999-"})
    assert found.status == 416
    found = get(server, accel("a.css"), method="HEAD")
    assert (found.status, found.body, found.get("Content-Length")) == (200, b"", str(len(SMALL)))


def test_a_post_gets_the_file_too(server: Server) -> None:
    target = f"/?{urlencode(accel('a.css'))}"
    with Connection(server.address) as connection:
        for _ in range(3):
            connection.send(http_request("POST", target, body=b"x" * 1000))
            assert connection.read_response().body == SMALL
        connection.send(http_request("GET", "/?X-Mine=1"))
        assert connection.read_response().body == OWN


@pytest.mark.parametrize(
    "name",
    [
        "missing",
        "outside",
        "../secret.txt",
        "%2e%2e/secret.txt",
        "a.css/",
        "",
        "/etc/passwd",
        "%2fetc/passwd",
        "a.css%00",
        "%zz",
    ],
)
def test_what_is_no_file_is_not_found(server: Server, files: Path, name: str) -> None:
    for said in (accel(name), {"X-Sendfile": f"{files}/files/{name}"}):
        found = get(server, said)
        assert (found.status, found.body) == (404, b""), said


def test_elsewhere_is_not_found(server: Server, files: Path) -> None:
    for said in (
        {"X-Sendfile": f"{files}/secret.txt"},
        {"X-Sendfile": f"{files}/public/b.css"},
        {"X-Sendfile": "/etc/passwd"},
        {"X-Sendfile": "a.css"},
        {"X-Accel-Redirect": "/static/b.css"},
        {"X-Accel-Redirect": "/etc/passwd"},
        {"X-Accel-Redirect": "http://other.example/"},
    ):
        assert get(server, said).status == 404, said
    server.log.wait_for(r"had \"http://other\.example/\" sent, which is no file of --static-internal")


def test_no_client_can_ask_for_it(server: Server) -> None:
    for fields in ({}, {"X-Accel-Redirect": "/protected/a.css"}, {"X-Sendfile": "/protected/a.css"}):
        found = exchange(server.address, http_request("GET", "/protected/a.css", fields))
        assert (found.status, found.body, found.get("X-Other")) == (200, OWN, "own")


def test_without_the_option_the_fields_are_for_a_proxy_in_front(files: Path) -> None:
    with Server.start("sends_files:application", "--static", f"/static/={files}/public") as server:
        found = get(server, accel("a.css"))
        assert (found.body, found.get("X-Accel-Redirect")) == (OWN, "/protected/a.css")
