"""What our server says of itself when it is asked: counters that criteria name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.server import run

if TYPE_CHECKING:
    import subprocess

    from tests.faults.servers import Victim


def ask(victim: Victim, command: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A command that speaks with the server."""
    return run(command, "--pid", str(victim.pid), *words, timeout=60)


def status(victim: Victim) -> dict[str, Any]:
    """Everything that it tells."""
    return json.loads(ask(victim, "status", "--json").stdout)


def total(victim: Victim, name: str) -> int:
    """One counter of all workers since the start."""
    return int(status(victim)["totals"][name])
