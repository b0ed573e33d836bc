"""Large answers made in every way: the same bytes to slow readers, no thread for them, nothing left of those that leave."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import descriptors
from tests.apps.blocks import numbered
from tests.server import Server
from tests.uwsgi_packet import uwsgi_request
from tests.wire import Connection, Truncated, exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Serve

APP = "downloads:application"
BLOCKS = 256  # 16 MiB
WHOLE = b"".join(numbered(BLOCKS))
KINDS = ["bytes", "list", "generator", "write", "file", "read"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("files")
    (directory / str(BLOCKS)).write_bytes(WHOLE)
    return directory


@pytest.fixture(scope="module")
def server(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One thread: whoever holds it stops all others."""
    options = ("--threads", "1", "--temp-dir", str(tmp_path_factory.mktemp("spool")))
    with Server.start(APP, *options, env={"FILES": str(files)}) as started:
        yield started


def target(kind: str, sized: str = "", name: str = "") -> str:
    return f"/download?kind={kind}&blocks={BLOCKS}{sized}&id={name}"


@pytest.mark.parametrize("sized", ["", "&sized"], ids=["unsized", "sized"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_thread_is_free_while_the_client_does_not_read(server: Server, kind: str, sized: str) -> None:
    """The interpreter has to make sixteen mebibytes first; a thread that waits for these readers waits for ever."""
    readers = [Connection(server.address) for _ in range(3)]
    for reader in readers:
        reader.send(http_request(target=target(kind, sized)))
    assert exchange(server.address, http_request(), timeout=20.0).body == b"hello"
    for reader in readers:
        response = reader.read_response()
        assert response.body == WHOLE
        reader.send(http_request())
        assert reader.read_response().body == b"hello"
        reader.close()


@pytest.mark.parametrize("kind", KINDS)
def test_every_byte_to_a_reader_that_stops_and_goes(server: Server, kind: str) -> None:
    with Connection(server.address) as connection:
        connection.send(http_request(target=target(kind), version="1.0"))
        connection.read_head()
        body = bytearray()
        while len(body) < len(WHOLE):
            body += connection.read_exactly(min(300_000, len(WHOLE) - len(body)))
            if len(body) % 1_500_000 < 300_000:
                time.sleep(0.03)
        assert bytes(body) == WHOLE
        connection.assert_closed()


@pytest.mark.parametrize("kind", KINDS)
def test_every_byte_over_uwsgi(server: Server, kind: str) -> None:
    with Connection(server.address) as connection:
        connection.send(uwsgi_request(target=target(kind)))
        connection.read_head()
        assert exchange(server.address, http_request()).body == b"hello"
        assert connection.read_to_end() == WHOLE


@pytest.mark.parametrize("kind", KINDS)
def test_pipelined_answers_keep_their_order(server: Server, kind: str) -> None:
    request = http_request(target=f"/download?kind={kind}&blocks={BLOCKS}")
    with Connection(server.address) as connection:
        connection.send((request + http_request()) * 3)
        for _ in range(3):
            assert connection.read_response().body == WHOLE
            assert connection.read_response().body == b"hello"


@pytest.mark.parametrize("kind", ["generator", "read"])
def test_close_runs_on_the_thread_of_the_call(server: Server, kind: str) -> None:
    """Before the client has read: whatever is still to be sent is the server's own."""
    with Connection(server.address) as connection:
        connection.send(http_request(target=target(kind, name=f"close-{kind}")))
        assert exchange(server.address, http_request(target=f"/closed?id=close-{kind}")).body == b"1 True"
        assert connection.read_response().body == WHOLE


@pytest.mark.parametrize("kind", KINDS)
def test_clients_that_leave_leave_nothing(serve: Serve, files: Path, tmp_path: Path, kind: str) -> None:
    server = serve(APP, "--threads", "2", "--temp-dir", str(tmp_path), env={"FILES": str(files)})
    pids = server.worker_pids()
    assert exchange(server.address, http_request(target=target(kind))).body == WHOLE
    descriptors.eventually(lambda: descriptors.unlinked(pids, tmp_path) == [])
    before = descriptors.count(pids)
    for number in range(60):
        connection = Connection(server.address)
        connection.send(http_request(target=target(kind, name=str(number))))
        if number % 3:
            connection.read_exactly(number * 20_000)
        leave = connection.close if number % 2 else connection.reset
        leave()
    assert exchange(server.address, http_request()).body == b"hello"
    descriptors.eventually(lambda: descriptors.unlinked(pids, tmp_path) == [])
    descriptors.eventually(lambda: abs(descriptors.count(pids) - before) <= 2)
    if kind in ("generator", "read"):
        for number in range(60):
            answer = exchange(server.address, http_request(target=f"/closed?id={number}"))
            # Whose client left before a thread was free is not run.
            assert answer.body in ([b"1 True"] if number % 3 else [b"1 True", b"0 True"]), number


def test_a_file_that_becomes_shorter_ends_the_connection(server: Server, files: Path) -> None:
    path = files / "shrinking"
    size = 64 << 20
    with path.open("wb") as file:
        file.truncate(size)
    mark = server.log.mark()
    with Connection(server.address) as connection:
        connection.send(http_request(target="/shrinking?name=shrinking"))
        head = connection.read_head()
        assert head.get("Content-Length") == str(size)
        os.truncate(path, size // 2)
        with pytest.raises(Truncated):
            connection.read_exactly(size)
    server.log.wait_for(r"bytes of a file could not be sent: it became shorter", mark)
    assert exchange(server.address, http_request()).body == b"hello"


@pytest.mark.parametrize("spool", ["0", "8MiB"], ids=["no-files", "small-files"])
def test_streams_wait_where_files_have_no_room(serve: Serve, tmp_path: Path, spool: str) -> None:
    """They get every byte all the same."""
    server = serve(APP, "--threads", "4", "--spool-max", spool, "--temp-dir", str(tmp_path))
    pids = server.worker_pids()
    readers = [Connection(server.address) for _ in range(3)]
    for reader in readers:
        reader.send(http_request(target=target("generator")))
    server.log.wait_for(r"a stream waits for its slow client .*--spool-max")
    assert sum(descriptors.unlinked(pids, tmp_path)) <= 4 << 20
    assert exchange(server.address, http_request()).body == b"hello"
    for reader in readers:
        assert reader.read_response().body == WHOLE
        reader.close()


def test_many_readers_at_once(server: Server) -> None:
    wrong: list[str] = []

    def read(kind: str) -> None:
        with Connection(server.address, timeout=60.0) as connection:
            connection.send(http_request(target=target(kind)))
            connection.socket.settimeout(60.0)
            if connection.read_response().body != WHOLE:
                wrong.append(kind)

    threads = [threading.Thread(target=read, args=(KINDS[number % len(KINDS)],)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def closed_after(server: Server, name: str) -> float:
    """The seconds until `close()` ran once, and on the right thread."""
    start = time.monotonic()
    while exchange(server.address, http_request(target=f"/closed?id={name}")).body != b"1 True":
        assert time.monotonic() - start < 20.0, "close() did not run, or more than once"
    return time.monotonic() - start


@pytest.mark.parametrize("count", [50, pytest.param(1000, marks=pytest.mark.long)])
def test_close_runs_soon_after_a_client_has_left(serve: Serve, tmp_path: Path, count: int) -> None:
    """Security F23: of a generator that never ends by itself, in at most a second, each time and once."""
    server = serve(APP, "--threads", "4", "--temp-dir", str(tmp_path))
    pids = server.worker_pids()
    before = descriptors.count(pids)
    waits: list[float] = []
    for number in range(count):
        connection = Connection(server.address)
        connection.send(http_request(target=f"/download?kind=generator&blocks=1000000&id={number}"))
        connection.read_exactly(number % 7 * 100_000 + 1000)
        leave = connection.close if number % 2 else connection.reset
        leave()
        waits.append(closed_after(server, str(number)))
    # Some may have met something else that this machine does.
    assert sorted(waits)[-1 - count // 10] < 1.0, sorted(waits)
    descriptors.eventually(lambda: descriptors.unlinked(pids, tmp_path) == [])
    descriptors.eventually(lambda: abs(descriptors.count(pids) - before) <= 2)


@pytest.mark.long
def test_200_slow_readers_of_16_mib_each(serve: Serve, tmp_path: Path) -> None:
    """Security F20: every byte, one thread, and at most a mebibyte of memory for each."""
    server = serve(APP, "--threads", "1", "--temp-dir", str(tmp_path))
    pid = server.worker_pids()[0]
    assert exchange(server.address, http_request()).body == b"hello"
    before = memory(pid)
    readers = [Connection(server.address, timeout=60.0) for _ in range(200)]
    for reader in readers:
        reader.send(http_request(target=target("generator")))
        reader.socket.settimeout(60.0)
    assert exchange(server.address, http_request(), timeout=60.0).body == b"hello"
    assert memory(pid) - before < 200 << 20
    assert descriptors.unlinked([pid], tmp_path)
    for reader in readers:
        assert reader.read_response().body == WHOLE
        reader.close()
    descriptors.eventually(lambda: descriptors.unlinked([pid], tmp_path) == [])


def memory(pid: int) -> int:
    """Bytes of a process that are its own."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Private_Dirty:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no Private_Dirty")
