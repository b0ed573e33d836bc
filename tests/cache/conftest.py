"""Gates of the application, and targets of its own for each request."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.process.conftest import gates, project
from tests.wire import Response, exchange, http_request

if TYPE_CHECKING:
    from tests.server import Server

__all__ = ["gates", "project"]

_numbers = itertools.count()


def target(*fields: str, path: str | int = "", **more: str | int) -> str:
    """A target of its own, or with a path, whose answers have these fields."""
    words = [f"f={quote(field)}" for field in fields]
    words += [f"{name.replace('_', '-')}={quote(str(value))}" for name, value in more.items()]
    return f"{path or f'/t{next(_numbers)}'}?{'&'.join(words)}"


def ask(server: Server, where: str, fields: dict[str, str] | None = None, method: str = "GET") -> Response:
    """One request on a connection of its own."""
    return exchange(server.address, http_request(method, where, fields), method)


def call(answer: Response) -> int:
    """Which call of the application an answer is from."""
    return int(answer.get("X-Call") or 0)
