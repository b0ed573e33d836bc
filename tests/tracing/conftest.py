"""Keeps these tests from Pythons for which OpenTelemetry has no release."""

from __future__ import annotations

import sys

collect_ignore_glob = ["test_*.py"] if sys.version_info < (3, 10) else []
