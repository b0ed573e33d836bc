"""Each fault, played to Tapster: short in every run, with full times and rounds in the long one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.kinds import KINDS
from tests.faults.list import FAULTS
from tests.faults.play import PASSED, played

if TYPE_CHECKING:
    from pathlib import Path

DAILY = [number for number, fault in FAULTS.items() if fault.daily]


@pytest.mark.parametrize("number", DAILY)
def test_short(number: str, tmp_path: Path) -> None:
    result = played(FAULTS[number], KINDS["tapster"], tmp_path, full=False)
    assert result.verdict == PASSED, str(result)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("number", list(FAULTS))
def test_full(number: str, tmp_path: Path) -> None:
    result = played(FAULTS[number], KINDS["tapster"], tmp_path, full=True)
    assert result.verdict == PASSED, str(result)
