"""A server and those that take its place, one after the other. Used by the tests of this folder."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.server import children, wait_gone
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from tests.address import Address
    from tests.server import Server

TAKEN = r"pid (\d+) has taken over from pid {old}\b"


class Generations:
    """The server that is in charge now."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.log = server.log
        self.pid = server.pid

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to the supervisor in charge."""
        os.kill(self.pid, number)

    def upgrade(self, timeout: float = 60.0) -> int:
        """USR2, and waits until the new server is in charge and the old one is gone; the new one's pid."""
        mark = self.log.mark()
        self.send(signal.SIGUSR2)
        return self.follow(mark, timeout)

    def follow(self, mark: int, timeout: float = 60.0) -> int:
        """Waits until a new server is in charge and the old one is gone; the new one's pid."""
        old = self.pid
        self.pid = int(self.log.wait_for(TAKEN.format(old=old), mark, timeout).group(1))
        self.log.wait_for(rf"pid {old}, the server before this one, is gone", mark, timeout)
        wait_gone([old], 20.0)
        return self.pid

    def fail(self, reason: str, timeout: float = 60.0) -> None:
        """USR2, and waits until the log says that the upgrade failed, and why."""
        mark = self.log.mark()
        self.send(signal.SIGUSR2)
        self.log.wait_for(f"the upgrade failed: .*{reason}", mark, timeout)
        self.log.wait_for(r"this server.* goes on", mark, timeout)

    def stop(self, timeout: float = 20.0) -> None:
        """TERM, and waits for the end of the server in charge."""
        self.send(signal.SIGTERM)
        wait_gone([self.pid], timeout)

    def workers(self) -> list[int]:
        """The children of the supervisor in charge."""
        return children(self.pid)

    def descriptors(self) -> list[str]:
        """What the supervisor in charge has open, without numbers that differ from one to the next."""
        folder = Path(f"/proc/{self.pid}/fd")
        found: list[str] = []
        for name in os.listdir(folder):
            with suppress(FileNotFoundError):  # closed since
                found.append(os.readlink(folder / name).partition(":")[0])
        return sorted(found)


def version(address: Address) -> str:
    """Which version of the application answers."""
    return exchange(address, http_request(target="/version")).body.decode()
