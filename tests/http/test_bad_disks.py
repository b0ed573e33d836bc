"""Disks that are slow or broken, as strace plays them: they cost the request that needs them, and stop nobody else."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests import descriptors
from tests.apps.blocks import numbered
from tests.server import Server
from tests.wire import Connection, Response, Truncated, exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

BODY = os.urandom(600_000)
DIGEST = f"{len(BODY)} {hashlib.sha256(BODY).hexdigest()}".encode()
BLOCKS = 64
WHOLE = b"".join(numbered(BLOCKS))


@contextmanager
def serving(app: str, directory: Path, call: str, fault: str, *options: str) -> Generator[Server, None, None]:
    """A server with one thread, to which this happens in this system call."""
    traced = ("strace", "-D", "-f", "-qq", "-e", f"trace={call}", "-e", f"inject={call}:{fault}")
    arguments = (app, "--threads", "1", "--temp-dir", str(directory), *options)
    with Server.start(
        *arguments, env={"FILES": str(directory)}, wrapper=(*traced, "-o", str(directory / "calls"))
    ) as server:
        yield server


def begin_upload(server: Server) -> Connection:
    connection = Connection(server.address, 40.0)
    connection.send(http_request("POST", "/digest", body=BODY))
    return connection


def assert_others_are_served(server: Server, seconds: float = 20.0) -> None:
    """Five of them, in less time than one slow call takes."""
    start = time.monotonic()
    for _ in range(5):
        assert exchange(server.address, http_request()).body == b"hello"
    assert time.monotonic() - start < seconds


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / str(BLOCKS)).write_bytes(WHOLE)
    return tmp_path


def download(server: Server, connection: Connection | None = None) -> Response:
    connection = connection or Connection(server.address)
    connection.send(http_request(target=f"/download?kind=file&blocks={BLOCKS}"))
    with connection:
        return connection.read_response()


def test_a_slow_write_stops_nobody_and_is_not_the_clients_time(tmp_path: Path) -> None:
    delay = "delay_enter=3000000"
    with serving("plain:application", tmp_path, "pwrite64", delay, "--io-timeout", "300ms") as server:
        start = time.monotonic()
        with begin_upload(server) as connection:
            assert_others_are_served(server, 2.5)
            assert connection.read_response().body == DIGEST
        assert time.monotonic() - start >= 3.0


def test_a_drain_waits_for_a_slow_write(tmp_path: Path) -> None:
    with serving("plain:application", tmp_path, "pwrite64", "delay_enter=500000") as server:
        pids = server.worker_pids()
        with begin_upload(server) as connection:
            descriptors.eventually(lambda: descriptors.unlinked(pids, tmp_path) != [])
            server.send(signal.SIGTERM)
            response = connection.read_response()
            assert (response.body, response.closes) == (DIGEST, True)
        assert server.wait() == 0


def test_a_client_that_leaves_during_a_slow_write_leaves_nothing(tmp_path: Path) -> None:
    with serving("plain:application", tmp_path, "pwrite64", "delay_enter=300000") as server:
        pids = server.worker_pids()
        for leave in (Connection.reset, Connection.close):
            connection = begin_upload(server)
            descriptors.eventually(lambda: descriptors.unlinked(pids, tmp_path) != [])
            leave(connection)
            descriptors.eventually(lambda: descriptors.unlinked(pids, tmp_path) == [])
            assert_others_are_served(server)


def test_a_write_that_fails_is_a_500_for_that_request(tmp_path: Path) -> None:
    with serving("plain:application", tmp_path, "pwrite64", "error=EIO:when=2") as server:
        pids = server.worker_pids()
        mark = server.log.mark()
        with begin_upload(server) as connection:
            assert connection.read_response().status == 500
        server.log.wait_for("refused with 500: cannot write a request body .*--temp-dir", mark)
        descriptors.eventually(lambda: descriptors.unlinked(pids, tmp_path) == [])
        with begin_upload(server) as connection:
            assert connection.read_response().body == DIGEST


def test_a_slow_read_stops_nobody(files: Path) -> None:
    slow = serving("downloads:application", files, "sendfile", "delay_enter=3000000")
    with slow as server, Connection(server.address) as connection:
        connection.send(http_request(target=f"/download?kind=file&blocks={BLOCKS}"))
        connection.read_head()
        assert_others_are_served(server, 2.5)


@pytest.mark.parametrize("error", ["EINVAL", "ENOSYS"])
def test_a_file_that_sendfile_refuses_is_read(files: Path, error: str) -> None:
    with serving("downloads:application", files, "sendfile", f"error={error}") as server:
        assert download(server).body == WHOLE


def test_a_file_that_cannot_be_read_ends_the_connection(files: Path) -> None:
    with serving("downloads:application", files, "sendfile", "error=EIO:when=4") as server:
        with pytest.raises(Truncated):
            download(server)
        server.log.wait_for("bytes of a file could not be sent: .*the connection was closed")
        assert download(server).body == WHOLE


def test_a_stream_whose_file_fails_waits_for_its_client(tmp_path: Path) -> None:
    """And loses no byte."""
    with serving("downloads:application", tmp_path, "pwrite64", "error=ENOSPC:when=3+") as server:
        pids = server.worker_pids()
        with Connection(server.address) as connection:
            connection.send(http_request(target="/download?kind=generator&blocks=512"))
            server.log.wait_for("a stream waits for its slow client .*No space left")
            assert connection.read_response().body == b"".join(numbered(512))
        descriptors.eventually(lambda: descriptors.unlinked(pids, tmp_path) == [])
