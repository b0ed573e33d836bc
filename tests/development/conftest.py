"""A project that is being worked on, and the server that watches it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.server import Server
from tests.wire import Connection, Response, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APP = """{before}
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"{text}"]
"""

STANDS_IN = "requests are answered with the reason"


class Site:
    """A directory with app.py, and at most one server that serves it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.server: Server | None = None
        self._stack = ExitStack()

    @property
    def running(self) -> Server:
        """The server, which has been started."""
        assert self.server is not None
        return self.server

    def write(self, text: str, before: str = "", name: str = "app.py") -> None:
        """A working application, which answers with this text."""
        self.put(name, APP.format(text=text, before=before))

    def put(self, name: str, content: str) -> None:
        """A file with any content, as an editor saves it: written in place."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    def start(self, *options: str, wait_for: str = r"watching \d+ file", **more: object) -> Server:
        """Serves it until the end of the test; waits for this line of the log."""
        words = ["--reload", "--bind", "127.0.0.1:0", *options]
        self.server = self._stack.enter_context(Server(*words, cwd=self.directory, **more))  # type: ignore[arg-type]
        self.server.log.wait_for(wait_for, timeout=30.0)
        self.server.log.wait_for(f"reloaded in|ready after|{STANDS_IN}", timeout=30.0)
        self.server.wait_addresses()
        return self.server

    def wait_for(self, pattern: str, since: int = 0) -> str:
        """Waits for a line of the log after a mark."""
        return self.running.log.wait_for(pattern, since, timeout=30.0).string

    def mark(self) -> int:
        """The place in the log, for `wait_for`."""
        return self.running.log.mark()

    def get(self, target: str = "/", **fields: str) -> Response:
        """The answer to one request on a connection of its own."""
        connection = Connection(self.running.address, timeout=30.0)
        named = {"Host": "localhost", **{name.replace("_", "-"): value for name, value in fields.items()}}
        connection.send(http_request(target=target, fields=named))
        try:
            return connection.read_response()
        finally:
            connection.close()

    def text(self, target: str = "/") -> str:
        """The body of that answer."""
        return self.get(target).body.decode()

    def close(self) -> None:
        """Stops the server."""
        self._stack.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A project that answers "one", not served yet."""
    made = Site(tmp_path / "site")
    made.write("one")
    yield made
    made.close()
