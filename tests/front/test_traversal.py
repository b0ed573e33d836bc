"""No path leads out of a directory of static files, or to what is hidden in it: every one of these is the application's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.front.conftest import SMALL
from tests.wire import Connection

if TYPE_CHECKING:
    from tests.server import Server

SECRET = b"SECRET"

UP = [
    "..",
    "../",
    "../secret.txt",
    "../../etc/passwd",
    "css/../../secret.txt",
    "css/../a.css",
    "./css/a.css",
    "css/./a.css",
    "css/..",
    "css/.",
    "/css/a.css",
    "//css/a.css",
    "/../secret.txt",
    "///etc/passwd",
    "css//a.css",
    "css///../../secret.txt",
    "%2e%2e/secret.txt",
    "%2E%2E/secret.txt",
    ".%2e/secret.txt",
    "%2e./secret.txt",
    "..%2fsecret.txt",
    "..%2Fsecret.txt",
    "%2e%2e%2fsecret.txt",
    "css%2f..%2f..%2fsecret.txt",
    "%2fetc/passwd",
    "%2f%2fetc%2fpasswd",
    "..%252fsecret.txt",
    "%252e%252e/secret.txt",
    "%252e%252e%252fsecret.txt",
    "%25%32%65%25%32%65/secret.txt",
    "..%c0%afsecret.txt",
    "%c0%ae%c0%ae/secret.txt",
    "%c0%ae%c0%ae%c0%afsecret.txt",
    "..%ef%bc%8fsecret.txt",
    "%uff0e%uff0e/secret.txt",
    "..\\secret.txt",
    "..%5csecret.txt",
    "..%5Csecret.txt",
    "css\\..\\..\\secret.txt",
    "css%5c..%5c..%5csecret.txt",
    "..;/secret.txt",
    "..;a=b/secret.txt",
    "..%3b/secret.txt",
    "...",
    ".../secret.txt",
    "....//secret.txt",
    "..../secret.txt",
    "..%20/secret.txt",
    ".. /secret.txt".replace(" ", "%20"),
    "..%09/secret.txt",
    "..%0d/secret.txt",
    "..%0a/secret.txt",
    "css/a.css%0a",
    "css/a.css%0d%0a",
    "css/a.css%00",
    "css/a.css%00.png",
    "%00/secret.txt",
    "..%00/secret.txt",
    "css/a.css/",
    "css/a.css/.",
    "css/a.css/..",
    "css/a.css/../a.css",
    "css/a.css%2f",
    "css/a.css%7f",
]

HIDDEN = [
    ".env",
    "%2eenv",
    ".git/config",
    "%2egit/config",
    ".git%2fconfig",
    ".well-known/../.env",
    ".well-known/.env",
    "css/.well-known/security.txt",
]

LINKS = [
    "outside",
    "absolute",
    "up/secret.txt",
    "up/public/../secret.txt",
    "up/publicity/a.css",
    "root/etc/passwd",
    "proc/root",
    "proc/cwd",
    "proc/environ",
    "fifo",
]

BESIDE = [
    "/staticity/a.css",
    "/static../secret.txt",
    "/static%2e%2e/secret.txt",
    "/static%2f..%2fsecret.txt",
    "/static",
]

PATHS = [*(f"/static/{path}" for path in [*UP, *HIDDEN, *LINKS]), *BESIDE]


def test_there_are_enough() -> None:
    assert len(set(PATHS)) >= 60


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("start", ["", "http://test.example"], ids=["origin", "absolute"])
def test_nothing_leads_out(server: Server, path: str, start: str) -> None:
    with Connection(server.address) as connection:
        connection.send(f"GET {start}{path} HTTP/1.1\r\nHost: test.example\r\n\r\n".encode())
        found = connection.read_response()
    assert found.status in (400, 404), path
    assert SECRET not in found.body and SMALL not in found.body and b"root:" not in found.body
    assert found.get("ETag") is None


def test_what_may_be_seen_is_seen(server: Server) -> None:
    """The tests above would pass if nothing were served."""
    for path, body in (("css/a.css", SMALL), ("inside", SMALL), (".well-known/security.txt", b"known")):
        with Connection(server.address) as connection:
            connection.send(f"GET /static/{path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            assert connection.read_response().body == body
