"""The systemd units of deploy/: systemd understands every line, and rates the service as well hardened."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.server import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

UNITS = REPOSITORY / "deploy" / "systemd"
WORST = 20
"""Tenths: what `systemd-analyze security` may rate the service at most. A plain one is at 96."""


@pytest.fixture
def units(tmp_path: Path) -> list[str]:
    """Copies whose program exists on this machine."""
    for unit in UNITS.iterdir():
        text = unit.read_text().replace("/srv/mysite/.venv/bin/tapster", sys.executable)
        (tmp_path / unit.name).write_text(text)
    return sorted(str(unit) for unit in tmp_path.iterdir())


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)


def test_systemd_understands_them(units: list[str]) -> None:
    checked = analyze("verify", *units)
    complaints = [line for line in checked.stderr.splitlines() if "tapster" in line]
    assert (checked.returncode, complaints) == (0, [])


def test_the_service_is_hardened(units: list[str]) -> None:
    service = next(unit for unit in units if unit.endswith(".service"))
    rated = analyze("security", "--offline=true", f"--threshold={WORST}", service)
    assert rated.returncode == 0, rated.stdout
