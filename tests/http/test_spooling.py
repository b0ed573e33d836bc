"""Bodies too large for memory go to a file that nobody else sees and that never stays (`--body-memory`, `--temp-dir`).

All such files together hold no more than they may (`--spool-max`), and what becomes of the disk is the matter of that one
request.
"""

from __future__ import annotations

import hashlib
import os
import select
import shlex
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests import descriptors
from tests.server import Server
from tests.wire import Connection, Response, exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve

BODY = os.urandom(3_000_000)
DIGEST = f"{len(BODY)} {hashlib.sha256(BODY).hexdigest()}".encode()


@pytest.mark.parametrize("memory", ["0", "1", "64KiB", "10MiB"])
def test_the_threshold(serve: Serve, tmp_path: Path, memory: str) -> None:
    server = serve("plain:application", "--body-memory", memory, "--temp-dir", str(tmp_path))
    for body in (b"", b"x", BODY):
        assert exchange(server.address, http_request("POST", "/echo", body=body)).body == body
    assert os.listdir(tmp_path) == []


def test_no_file_is_seen_even_while_the_body_comes(serve: Serve, tmp_path: Path) -> None:
    server = serve("plain:application", "--temp-dir", str(tmp_path))
    request = http_request("POST", "/digest", body=BODY)
    with Connection(server.address) as connection:
        connection.send(request[:2_000_000])
        assert exchange(server.address, http_request()).body == b"hello"
        assert os.listdir(tmp_path) == []
        connection.send(request[2_000_000:])
        assert connection.read_response().body == DIGEST


def test_a_directory_that_is_not_there_is_said(serve: Serve, tmp_path: Path) -> None:
    """At the first large body: 500 and a line with the option's name; small ones are served."""
    server = serve("plain:application", "--temp-dir", str(tmp_path / "missing"))
    mark = server.log.mark()
    with Connection(server.address) as connection:
        connection.send(
            http_request("POST", "/digest", {"Content-Length": str(len(BODY))}) + BODY[:1_000_000]
        )
        assert connection.read_response().status == 500
    server.log.wait_for("temp-dir", mark)
    assert exchange(server.address, http_request("POST", "/echo", body=b"small")).body == b"small"


def test_a_full_disk_costs_that_request_only(tmp_path: Path) -> None:
    """507, a line in the log, and the disk and the descriptors are as before."""
    options = ("--temp-dir", str(tmp_path), "--threads", "2")
    with Server.start("plain:application", *options, wrapper=on_a_disk_of("1m", tmp_path)) as server:
        fits = BODY[:900_000]
        assert exchange(server.address, http_request("POST", "/echo", body=fits)).body == fits
        pids = server.worker_pids()
        before = descriptors.count(pids)
        for _ in range(3):
            mark = server.log.mark()
            refused = exchange(server.address, http_request("POST", "/echo", body=BODY))
            assert (refused.status, refused.get("Connection")) == (507, "close")
            server.log.wait_for(r"refused with 507: .*--temp-dir", mark)
            assert exchange(server.address, http_request()).body == b"hello"
            assert exchange(server.address, http_request("POST", "/echo", body=fits)).body == fits
        descriptors.eventually(lambda: descriptors.unlinked(pids, tmp_path) == [])
        assert abs(descriptors.count(pids) - before) <= 2


def on_a_disk_of(size: str, directory: Path) -> list[str]:
    """Begins a command where a file system of that size is mounted at `directory`, and nobody else sees it."""
    mount = f"mount -t tmpfs -o size={size} tmpfs {shlex.quote(str(directory))}"
    return ["unshare", "--map-root-user", "--mount", "--", "sh", "-c", mount + ' && exec "$@"', "sh"]


class Uploads:
    """Uploads of one mebibyte to a server whose files may hold two."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.body = os.urandom(1 << 20)

    def begin(self) -> Connection:
        """One of which most was sent."""
        connection = Connection(self.server.address)
        connection.send(http_request("POST", "/echo", {"Content-Length": str(len(self.body))}))
        connection.send(self.body[:900_000])
        return connection

    def begin_two(self, pids: list[int], directory: Path) -> list[Connection]:
        """Two whose bytes are in files. The room of those before comes back a moment after their files are gone."""
        deadline = time.monotonic() + 30.0
        while True:
            begun = [self.begin(), self.begin()]
            sockets = [connection.socket for connection in begun]
            while not (refused := select.select(sockets, [], [], 0.01)[0]):
                if sum(descriptors.unlinked(pids, directory)) > 1_600_000:
                    return begun
                assert time.monotonic() < deadline, "they are not in files"
            for connection in begun:
                connection.close()
            assert time.monotonic() < deadline, f"{len(refused)} found no room"
            descriptors.eventually(lambda: descriptors.unlinked(pids, directory) == [])

    def end(self, connection: Connection) -> Response:
        with connection:
            connection.send(self.body[900_000:])
            return connection.read_response()

    def assert_room(self, for_how_many: int) -> None:
        """So many fit at the same time; what is closed is not at once gone from the disk."""
        deadline = time.monotonic() + 30.0
        while True:
            begun = [self.begin() for _ in range(for_how_many)]
            statuses = [self.end(connection).status for connection in begun]
            if statuses == [200] * for_how_many:
                return
            assert time.monotonic() < deadline, statuses


@pytest.fixture(params=["1", "2"], ids=["one-worker", "two-workers"])
def uploads(serve: Serve, tmp_path: Path, request: pytest.FixtureRequest) -> Uploads:
    options = ("--spool-max", "2MiB", "--body-memory", "64KiB", "--workers", str(request.param))
    return Uploads(serve("plain:application", "--temp-dir", str(tmp_path), *options))


def test_beyond_the_budget_is_503(uploads: Uploads, tmp_path: Path) -> None:
    first = [uploads.begin(), uploads.begin()]
    pids = uploads.server.worker_pids()
    descriptors.eventually(lambda: sum(descriptors.unlinked(pids, tmp_path)) > 1_600_000)
    mark = uploads.server.log.mark()
    refused = uploads.end(uploads.begin())
    assert (refused.status, refused.get("Retry-After"), refused.get("Connection")) == (503, "5", "close")
    uploads.server.log.wait_for(r"refused with 503: .*--spool-max", mark)
    assert exchange(uploads.server.address, http_request("POST", "/echo", body=b"x" * 60_000)).status == 200
    assert [uploads.end(connection).body == uploads.body for connection in first] == [True, True]
    uploads.assert_room(2)


def test_room_comes_back_when_clients_leave(uploads: Uploads, tmp_path: Path) -> None:
    pids = uploads.server.worker_pids()
    before = descriptors.count(pids)
    for leave in (Connection.close, Connection.reset, Connection.close):
        for connection in uploads.begin_two(pids, tmp_path):
            leave(connection)
        descriptors.eventually(lambda: descriptors.unlinked(pids, tmp_path) == [])
        uploads.assert_room(2)
        # Files of answered requests are closed, and their room given back, a moment after the answer.
        descriptors.eventually(lambda: descriptors.unlinked(pids, tmp_path) == [])
    descriptors.eventually(lambda: abs(descriptors.count(pids) - before) <= 2)


def test_room_comes_back_when_a_worker_dies(uploads: Uploads, tmp_path: Path) -> None:
    server = uploads.server
    begun = [uploads.begin(), uploads.begin()]
    pids = server.worker_pids()
    descriptors.eventually(lambda: sum(descriptors.unlinked(pids, tmp_path)) > 1_600_000)
    mark = server.log.mark()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    server.log.wait_for("was killed", mark)
    uploads.assert_room(2)
    for connection in begun:
        connection.close()


def test_a_crowd_of_uploads_stays_below_the_budget(serve: Serve, tmp_path: Path) -> None:
    """Each gets 200 or 503, as many as fit get 200, and the disk never holds more than it may."""
    budget, body = 6 << 20, os.urandom(2 << 20)
    options = ("--spool-max", str(budget), "--body-memory", "64KiB", "--workers", "2")
    server = serve("plain:application", "--temp-dir", str(tmp_path), *options)
    statuses: list[int] = []
    most = 0

    def upload() -> None:
        response = exchange(server.address, http_request("POST", "/digest", body=body), timeout=60.0)
        statuses.append(response.status)

    threads = [threading.Thread(target=upload) for _ in range(40)]
    pids = server.worker_pids()
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        most = max(most, sum(descriptors.unlinked(pids, tmp_path)))
        time.sleep(0.002)
    assert len(statuses) == 40
    assert set(statuses) <= {200, 503}
    assert statuses.count(200) >= 3
    assert most <= budget
    descriptors.eventually(lambda: descriptors.unlinked(pids, tmp_path) == [])


def test_resets_in_the_middle_of_uploads_leave_nothing(serve: Serve, tmp_path: Path) -> None:
    server = serve("plain:application", "--temp-dir", str(tmp_path), "--body-memory", "64KiB")
    pids = server.worker_pids()
    exchange(server.address, http_request("POST", "/digest", body=BODY))
    before = descriptors.count(pids)
    head = http_request("POST", "/calls", {"Content-Length": str(len(BODY))})
    for length in range(0, 200_000, 1000):
        connection = Connection(server.address)
        connection.send(head + BODY[: 60_000 + length])
        connection.reset()
    assert exchange(server.address, http_request(target="/calls")).body == b"1", (
        "it was called for a half body"
    )
    descriptors.eventually(lambda: descriptors.unlinked(pids, tmp_path) == [])
    descriptors.eventually(lambda: abs(descriptors.count(pids) - before) <= 2)


def test_a_drain_waits_for_an_upload_on_its_way_to_the_disk(serve: Serve, tmp_path: Path) -> None:
    server = serve("plain:application", "--temp-dir", str(tmp_path), "--body-memory", "1")
    with Connection(server.address) as connection, Connection(server.address) as idle:
        idle.send(http_request())
        assert idle.read_response().status == 200
        request = http_request("POST", "/digest", body=BODY)
        connection.send(request[:1_000_000])
        pids = server.worker_pids()
        descriptors.eventually(lambda: sum(descriptors.unlinked(pids, tmp_path)) > 500_000)
        server.send(signal.SIGTERM)
        idle.assert_closed()
        connection.send(request[1_000_000:])
        response = connection.read_response()
        assert (response.body, response.closes) == (DIGEST, True)
    assert server.wait() == 0


def test_requests_behind_a_spooled_one_wait_for_it(serve: Serve, tmp_path: Path) -> None:
    server = serve("plain:application", "--temp-dir", str(tmp_path))
    upload = http_request("POST", "/digest", body=BODY)
    with Connection(server.address) as connection:
        for _ in range(3):
            connection.send((upload + http_request()) * 2)
            for _ in range(2):
                assert connection.read_response().body == DIGEST
                assert connection.read_response().body == b"hello"
