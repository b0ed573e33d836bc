"""Each fault, played to Tapster: short in every run, with full times and rounds in the long one."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.kinds import KINDS
from tests.faults.list import FAULTS
from tests.faults.play import PASSED, played

if TYPE_CHECKING:
    from collections.abc import Iterator

DAILY = [number for number, fault in FAULTS.items() if fault.daily]


@pytest.fixture
def directory() -> Iterator[Path]:
    """One that every user may enter, unlike pytest's: some rows are served as another user."""
    made = Path(tempfile.mkdtemp(prefix="faults-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.mark.parametrize("number", DAILY)
def test_short(number: str, directory: Path) -> None:
    result = played(FAULTS[number], KINDS["tapster"], directory, full=False)
    assert result.verdict == PASSED, str(result)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("number", list(FAULTS))
def test_full(number: str, directory: Path) -> None:
    result = played(FAULTS[number], KINDS["tapster"], directory, full=True)
    assert result.verdict == PASSED, str(result)
