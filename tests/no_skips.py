"""A pytest plug-in: a skipped test fails the run. Loaded by `make test`, where every real component must be there."""

from __future__ import annotations

import pytest

#: A reason that begins so is a fact about the system, not something that could have been installed.
ALLOWED = "not on this system:"

_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remembers each test that was skipped for a reason that is not allowed."""
    if report.skipped and not hasattr(report, "wasxfail"):
        _remember(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Remembers each file that was skipped whole."""
    if report.skipped:
        _remember(report)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turns a run that only passed because something was skipped into a failed one."""
    if _skipped and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says why the run failed."""
    for line in _skipped:
        terminalreporter.write_line(f"SKIPPED IS FAILED here: {line}", red=True)


def _remember(report: pytest.TestReport | pytest.CollectReport) -> None:
    reason = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if ALLOWED not in reason:
        _skipped.append(f"{report.nodeid}: {reason}")
