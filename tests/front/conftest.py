"""A directory of files to serve, and a server with a front before it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.preload.conftest import name_of
from tests.process.conftest import gates, project
from tests.server import Server
from tests.wire import Connection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["gates", "project"]

#: Modification time of every file: Sat, 01 Jan 2022 00:00:00 GMT.
MODIFIED = 1640995200
LAST_MODIFIED = "Sat, 01 Jan 2022 00:00:00 GMT"

SMALL = b"body { color: red }\n"
LARGE = b"".join(number.to_bytes(4, "big") for number in range(1 << 18))


def put(path: Path, content: bytes, modified: int = MODIFIED) -> None:
    """A file with a known date, there at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(content)
    os.utime(new, (modified, modified))
    new.rename(path)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files, with others around them that nobody must see."""
    base = tmp_path_factory.mktemp("site")
    root = base / "public"
    put(root / "css" / "a.css", SMALL)
    put(root / "large.bin", LARGE)
    put(root / "empty.txt", b"")
    put(root / "page" / "index.html", b"<h1>page</h1>")
    put(root / "with space & caf\u00e9.txt", b"odd name")
    put(root / "app.0123456789ab.css", b"hashed")
    put(root / "packed.js", b"plain" * 100)
    put(root / "packed.js.br", b"brotli")
    put(root / "packed.js.gz", b"gzipped")
    put(root / "packed.js.zst", b"zstandard")
    put(root / ".env", b"SECRET")
    put(root / ".git" / "config", b"SECRET")
    put(root / ".well-known" / "security.txt", b"known")
    put(base / "secret.txt", b"SECRET")
    put(base / "publicity" / "a.css", b"SECRET")
    (root / "inside").symlink_to("css/a.css")
    (root / "outside").symlink_to("../secret.txt")
    (root / "absolute").symlink_to(base / "secret.txt")
    (root / "up").symlink_to("..")
    (root / "root").symlink_to("/")
    (root / "proc").symlink_to("/proc/self")
    os.mkfifo(root / "fifo")
    put(base / "favicon.ico", b"icon")
    return base


@pytest.fixture(scope="module")
def server(site: Path) -> Iterator[Server]:
    """Serves the files under /static/ and one more, and apps/plain.py."""
    public, icon = site / "public", site / "favicon.ico"
    options = ("--static", f"/static/={public}", "--static", f"/favicon.ico={icon}", "--access-log", "on")
    with Server.start("plain:application", *options, "--workers", "2") as started:
        yield started


@pytest.fixture
def client(server: Server) -> Iterator[Connection]:
    """A connection to it."""
    with Connection(server.address) as connection:
        yield connection


def pid_of(server: Server, name: str) -> list[int]:
    """The server's processes that are called so."""
    return [pid for pid in server.worker_pids() if name_of(pid).startswith(name)]
