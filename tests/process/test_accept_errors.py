"""The system has no descriptor or no memory for another client: accepting pauses, and goes on by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server import Server
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

FAULTS = 2
"""One after the other, in one thread: the second is that of the attempt to say 503."""


@pytest.mark.parametrize("error", ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"])
def test_accepting_pauses_and_goes_on(tmp_path: Path, error: str) -> None:
    calls = tmp_path / "calls"
    fault = f"inject=accept4:error={error}:when=1..{FAULTS}"
    traced = ("strace", "-D", "-f", "-qq", "-e", "trace=accept4", "-e", fault, "-o", str(calls))
    with Server.start("plain:application", "--threads", "1", wrapper=traced) as server:
        assert exchange(server.address, http_request(target="/hello")).body == b"hello"
        server.log.wait_for("cannot accept connections for now")
        assert len(server.log.find("cannot accept connections for now")) == 1
        assert exchange(server.address, http_request(target="/hello")).body == b"hello"
        # It waited in between: a loop would have tried thousands of times.
        text = calls.read_text()
        assert text.count("INJECTED") == FAULTS
        assert text.count("accept4(") < 20
        assert server.stop() == 0
