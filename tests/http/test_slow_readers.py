"""A slow reader gets every byte and keeps nobody waiting (design: the loop, not a thread, waits for slow clients)."""

from __future__ import annotations

import hashlib
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.apps.blocks import numbered
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Serve
    from tests.server import Server

BLOCKS = 1024  # 64 MiB


def whole() -> str:
    digest = hashlib.sha256()
    for block in numbered(BLOCKS):
        digest.update(block)
    return digest.hexdigest()


@pytest.mark.parametrize("sized", ["", "&sized"], ids=["chunked", "sized"])
def test_64_mib_to_a_slow_reader(server: Server, sized: str) -> None:
    """The reader stops now and then; meanwhile others are answered at once."""
    stop = threading.Event()
    waits: list[float] = []

    def others() -> None:
        while not stop.is_set():
            start = time.monotonic()
            assert exchange(server.address, http_request()).body == b"hello"
            waits.append(time.monotonic() - start)
            stop.wait(0.01)

    other = threading.Thread(target=others)
    with Connection(server.address) as connection:
        connection.send(http_request(target=f"/download?blocks={BLOCKS}{sized}"))
        head = connection.read_head()
        other.start()
        try:
            digest = hashlib.sha256()
            for number, block in enumerate(blocks_of(connection, head.chunked)):
                digest.update(block)
                if number % 256 == 0:
                    time.sleep(0.1)
        finally:
            stop.set()
            other.join()
    assert digest.hexdigest() == whole()
    assert len(waits) > 5
    # The last tenth may have met something else that this machine does.
    assert sorted(waits)[len(waits) * 9 // 10] < 1.0


def test_more_slow_readers_than_threads(serve: Serve) -> None:
    """Answers larger than the sockets' buffers, all threads' worth and more, none of them read: others still get theirs."""
    server = serve("plain:application", "--threads", "2")
    readers = [Connection(server.address) for _ in range(6)]
    for reader in readers:
        reader.send(http_request(target="/echo", method="POST", body=b"x" * 8_000_000))
    assert exchange(server.address, http_request()).body == b"hello"
    for reader in readers:
        assert len(reader.read_response().body) == 8_000_000
        reader.close()


def blocks_of(connection: Connection, chunked: bool) -> Iterator[bytes]:
    """The body in pieces, read no faster than the caller asks."""
    if chunked:
        yield from iter(connection.read_chunk, b"")
    else:
        yield from (connection.read_exactly(65536) for _ in range(BLOCKS))
