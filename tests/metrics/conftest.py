"""Fixtures of other tests that these use too."""

from __future__ import annotations

from tests.process.conftest import gates, project

__all__ = ["gates", "project"]
