"""Reads what `--stats` gives to whoever connects. Used by the tests of this folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.address import Address, addresses_in

if TYPE_CHECKING:
    from tests.server import Server

STATS = ("--stats", "127.0.0.1:0")


def stats_of(server: Server) -> Address:
    """Where its statistics are."""
    return addresses_in(server.log.wait_for(r"statistics at .*").group())[0]


def document(server: Server) -> dict[str, Any]:
    """What who connects gets, without a word said."""
    with stats_of(server).connect() as connection, connection.makefile("rb") as file:
        return json.loads(file.read())


def requests(found: dict[str, Any]) -> int:
    """Of all workers."""
    return sum(worker["requests"] for worker in found["workers"])
