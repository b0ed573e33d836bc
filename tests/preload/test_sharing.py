"""What `--preload` promises: a further worker costs a part of what it costs alone, and `--refork-after` keeps it so."""

from __future__ import annotations

import os
import subprocess

import pytest

from bench.preload_memory import PRELOAD, REFORK, further_worker
from tests.server import REPOSITORY

NEWER = os.environ.get("TAPSTER_NEWER_COMMAND", str(REPOSITORY / ".build/newer/venv/bin/tapster"))
"""The command on CPython 3.12 or later, where reading an object need not write to its memory. `make test-long` installs it."""


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_further_worker_of_django_costs_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    version = subprocess.run([NEWER, "--version"], check=True, capture_output=True, text=True).stdout
    monkeypatch.setenv("TAPSTER_COMMAND", NEWER)
    fresh, fresh_preloaded = further_worker(0), further_worker(0, *PRELOAD)
    assert fresh_preloaded <= 0.35 * fresh, version
    used, used_preloaded = further_worker(1000), further_worker(1000, *PRELOAD)
    assert used_preloaded <= 0.5 * used, version
    reforked = further_worker(1000, *REFORK)
    assert reforked <= 0.35 * used, version
    assert reforked < used_preloaded, version
