"""Gates that hold a request inside the application."""

from __future__ import annotations

from tests.process.conftest import gates

__all__ = ["gates"]
