"""Fixtures of every black-box test: servers that are always stopped, their logs shown when a test fails."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.server import APPS, RUNNING, Server

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence
    from pathlib import Path


class Serve(Protocol):
    """Starts a server that lives as long as the test."""

    def __call__(
        self,
        *arguments: str,
        cwd: Path = ...,
        env: Mapping[str, str] | None = ...,
        pass_fds: Sequence[int] = ...,
    ) -> Server: ...


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A function that starts a server; it is stopped after the test."""
    with ExitStack() as stack:

        def start(
            *arguments: str,
            cwd: Path = APPS,
            env: Mapping[str, str] | None = None,
            pass_fds: Sequence[int] = (),
        ) -> Server:
            return stack.enter_context(Server.start(*arguments, cwd=cwd, env=env, pass_fds=pass_fds))

        yield start


@pytest.fixture(autouse=True)
def clean_logs() -> Iterator[None]:
    """Fails a test in whose time a server panicked or wrote a traceback that was not meant."""
    yield
    found = [complaint for server in RUNNING for complaint in server.complaints()]
    assert not found, "in a server's log:\n" + "\n".join(found)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attaches the log of every running server to the report of a failing test."""
    if call.when == "setup":
        item.stash[_MARKS] = {server.pid: server.log.mark() for server in RUNNING}
    report = yield
    if report.failed:
        marks = item.stash.get(_MARKS, dict[int, int]())
        for server in RUNNING:
            title = f"log of {' '.join(server.arguments)} (pid {server.pid})"
            report.sections.append((title, server.log.text(max(0, marks.get(server.pid, 0) - 20))))
    return report


_MARKS: pytest.StashKey[dict[int, int]] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    """Declares the mark of what `make test` leaves to `make test-long`."""
    config.addinivalue_line("markers", "long: takes a quarter of a minute or more")
