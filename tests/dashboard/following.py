"""A client that follows a dashboard's events, and one that gives orders, both in bytes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.address import Address, addresses_in
from tests.wire import Connection, Response, exchange, http_request

if TYPE_CHECKING:
    from tests.server import Server

ADMIN = ("--admin-bind", "127.0.0.1:0", "--control-socket", "off")
TOKEN = "tests-have-this-token-0123456789"


def admin_of(server: Server) -> Address:
    """Where the dashboard is."""
    return addresses_in(server.log.wait_for(r"health checks at .*").group())[0]


@dataclass
class Event:
    """One event."""

    name: str
    id: str
    data: Any


class Follower(Connection):
    """Follows a server."""

    def __init__(self, admin: Address, last_id: str | None = None, **fields: str) -> None:
        super().__init__(admin, timeout=20.0)
        given = {"Host": f"localhost:{admin.port}", **fields}
        if last_id is not None:
            given["Last-Event-ID"] = last_id
        self.send(http_request(target="/-/events", fields=given))
        self.head = self.read_head()

    def __enter__(self) -> Follower:
        return self

    def event(self) -> Event:
        """The next one."""
        values = {"event": "", "id": "", "data": ""}
        for line in self.read_until(b"\n\n", limit=8 << 20).decode().splitlines():
            name, _, value = line.partition(": ")
            values[name] = value
        if not values["event"]:
            return self.event()
        return Event(values["event"], values["id"], json.loads(values["data"]))

    def wait_for(self, name: str) -> Event:
        """The next event of that name."""
        while (event := self.event()).name != name:
            pass
        return event


def ask(admin: Address, path: str, method: str = "GET", **fields: str) -> Response:
    """An answer to a browser on this machine, unless the fields say otherwise."""
    given = {
        "Host": f"localhost:{admin.port}",
        **{name.replace("_", "-"): text for name, text in fields.items()},
    }
    return exchange(admin, http_request(method, path, given), method, timeout=20.0)


def order(admin: Address, fields: dict[str, str] | None = None, /, **request: object) -> Response:
    """An order with the token, as the page gives it, but for these fields."""
    given = {
        "Host": f"localhost:{admin.port}",
        "Origin": f"http://localhost:{admin.port}",
        "Sec-Fetch-Site": "same-origin",
        "Content-Type": "application/json",
        "Authorization": f"Bearer {TOKEN}",
        **(fields or {}),
    }
    kept = {name: text for name, text in given.items() if text}
    body = json.dumps(request).encode()
    return exchange(admin, http_request("POST", "/-/control", kept, body), "POST", timeout=20.0)
