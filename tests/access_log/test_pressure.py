"""A log that is exchanged under load loses and tears no line; nobody waits for one that nobody reads."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.access_log.asking import APP, ask, ask_together, wait_until
from tests.control.operator import Operator
from tests.server import Server
from tests.wire import Connection, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.address import Address

#: Requests that go out at once on a connection.
BATCH = 50
#: More than a pipe, the relay and the queue hold, in lines of 1.5 KiB.
FILLS = 1500


def pour(address: Address, first: int, count: int) -> None:
    """Asks for so many pages, in batches on one connection."""
    with Connection(address) as connection:
        for start in range(first, first + count, BATCH):
            numbers = range(start, min(start + BATCH, first + count))
            connection.send(b"".join(http_request(target=f"/?{number}-end") for number in numbers))
            for _ in numbers:
                assert connection.read_response().status == 200


@pytest.mark.long
def test_a_hundred_thousand_requests_with_a_new_file_every_second(tmp_path: Path) -> None:
    total, clients = 100_000, 4
    access = tmp_path / "access.log"
    words = ["--access-log", str(access), "--access-log-format", "%(status) %(uri)", "--workers", "2"]
    files: list[Path] = []
    with Server.start(APP, *words) as server:
        share = total // clients
        load = [
            threading.Thread(target=pour, args=(server.address, share * number, share))
            for number in range(clients)
        ]
        for thread in load:
            thread.start()
        while any(thread.is_alive() for thread in load):
            time.sleep(1.0)
            files.append(access.with_name(f"access.{len(files)}"))
            access.rename(files[-1])
            server.send(signal.SIGUSR1)
            wait_until(access.exists, "a new file")
        assert server.stop() == 0
    text = "".join(file.read_text() for file in [*files, access])
    told = re.findall(r"^200 /\?(\d+)-end$", text, re.M)
    assert len(files) >= 3
    assert sorted(map(int, told)) == list(range(total))
    assert text.count("\n") == total


@pytest.fixture
def unread(tmp_path: Path) -> Iterator[Path]:
    """A pipe with a reader that does not read."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    yield path
    os.close(reader)


def long_targets(client: int) -> list[str]:
    return [f"/?{client}-{number}-{'x' * 1500}" for number in range(FILLS // 2)]


def test_a_pipe_that_nobody_reads_costs_lines_and_all_are_counted(tmp_path: Path) -> None:
    """What comes out of the pipe later, and what is counted as dropped, are all requests."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    words = [
        "--access-log",
        str(path),
        "--access-log-format",
        "%(uri)",
        "--control-socket",
        str(tmp_path / "c"),
    ]
    with Server.start(APP, *words) as server:
        ask_together(server.address, 2, long_targets)
        dropped = int(Operator(server, tmp_path / "c").status()["totals"]["log_lines_dropped"])
        assert dropped > 0
        received = b""
        deadline = time.monotonic() + 20
        while received.count(b"\n") + dropped < FILLS and time.monotonic() < deadline:
            try:
                received += os.read(reader, 1 << 16)
            except BlockingIOError:
                time.sleep(0.01)
        ask(server.address, "/")
        assert server.stop() == 0
        told = [int(number) for number in re.findall(r"(\d+) log lines were dropped", server.log.text())]
        assert sum(told) == dropped
    os.close(reader)
    lines = received.decode().splitlines()
    assert len(lines) + dropped == FILLS
    assert all(re.fullmatch(r"/\?\d-\d+-x{1500}", line) for line in lines)


def test_lines_that_a_front_drops_are_counted_too(tmp_path: Path, unread: Path) -> None:
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "file").write_text("hello")
    words = ["--access-log", str(unread), "--access-log-format", "%(uri)"]
    words += ["--static", f"/static/={tmp_path / 'public'}", "--control-socket", str(tmp_path / "c")]
    with Server.start(APP, *words) as server:
        targets = [f"/static/file?{'x' * 1500}"] * FILLS
        ask(server.address, *targets)

        def dropped() -> int:
            return int(Operator(server, tmp_path / "c").status()["totals"]["log_lines_dropped"])

        wait_until(lambda: dropped() > 0, "dropped lines")


@pytest.mark.long
def test_nobody_waits_for_a_pipe_that_nobody_reads(unread: Path) -> None:
    """The slowest of thousands of requests is at most 5 ms slower than where nothing is logged, in the best of five pairs."""
    targets = long_targets(0)
    blocked = ["--access-log", str(unread), "--access-log-format", "%(uri)"]
    with Server.start(APP, "--access-log", "off") as quiet, Server.start(APP, *blocked) as full:
        # Fills whatever can be filled.
        ask_together(full.address, 2, long_targets)
        more = [max(ask(full.address, *targets)) - max(ask(quiet.address, *targets)) for _ in range(5)]
    assert min(more) <= 0.005, more
