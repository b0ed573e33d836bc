"""No exception of any kind, from any place of an application, costs more than its request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.transport import Transport
from tests.wire import Connection, Truncated, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Serve
    from tests.server import Server

APP = "misbehaves:application"

KINDS = [
    "SystemExit",
    "KeyboardInterrupt",
    "GeneratorExit",
    "BaseException",
    "MemoryError",
    "RecursionError",
    "Unprintable",
    "Control",
]


@pytest.fixture(autouse=True)
def same_workers(server: Server) -> Iterator[None]:
    """Whatever is raised here, the worker lives."""
    server.allow("Error|Exit|Interrupt|StopIteration")
    before = server.worker_pids()
    yield
    assert server.worker_pids() == before


EARLY = [
    (kind, where) for where in ("call", "started", "iter", "first") for kind in [*KINDS, "StopIteration"]
]
# In __next__() that one is the end of the body.
EARLY.remove(("StopIteration", "first"))


@pytest.mark.parametrize(("kind", "where"), EARLY)
def test_before_the_first_byte_it_is_a_500(
    transport: Transport, server: Server, kind: str, where: str
) -> None:
    mark = server.log.mark()
    response = transport.request(f"/raise?kind={kind}&where={where}")
    assert (response.status, response.body) == (500, b"500 Internal Server Error\n")
    server.log.wait_for("misbehaves.py", mark)


@pytest.mark.parametrize("where", ["midway", "written"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", ["", "&length=12"], ids=["unsized", "sized"])
def test_later_it_shows_as_truncation(
    http: Transport, server: Server, kind: str, where: str, length: str
) -> None:
    mark = server.log.mark()
    with pytest.raises(Truncated) as caught:
        http.request(f"/raise?kind={kind}&where={where}{length}")
    assert caught.value.body == b"item"
    server.log.wait_for("misbehaves.py", mark)


@pytest.mark.parametrize("kind", KINDS)
def test_in_close_the_answer_stands(http: Transport, server: Server, kind: str) -> None:
    mark = server.log.mark()
    with http.connect() as connection:
        for _ in range(2):
            connection.send(http.bytes_of(f"/raise?kind={kind}&where=close"))
            assert connection.read_response().body == b"itemitemitem"
    server.log.wait_for(r"close\(\) failed", mark)
    server.log.wait_for("misbehaves.py", mark)


@pytest.mark.parametrize("where", ["call", "midway", "close"])
def test_a_hundred_times(http: Transport, where: str) -> None:
    for _ in range(100):
        with Connection(http.address) as connection:
            connection.send(http.bytes_of(f"/raise?kind=SystemExit&where={where}"))
            assert connection.read_head().status == (500 if where == "call" else 200)
            if where == "midway":
                connection.read_to_end()
    assert http.request("/").body == b"fine"


def test_a_failure_midway_never_passes_for_whole(http: Transport) -> None:
    for number in range(500):
        length = "&length=12" if number % 2 else ""
        with pytest.raises(Truncated):
            http.request(f"/raise?kind=MemoryError&where=midway{length}")


def test_control_bytes_in_an_exception_are_escaped(http: Transport, server: Server) -> None:
    mark = server.log.mark()
    http.request("/raise?kind=Control&where=call")
    server.log.wait_for("forged", mark)
    lines = server.log.lines(mark)
    assert not [line for line in lines if any(ord(byte) < 32 or 127 <= ord(byte) < 160 for byte in line)]
    assert not [line for line in lines if line.startswith("2026-01-01")], "no line but the server's own"


def test_thousands_of_wrong_heads(transport: Transport) -> None:
    refused = transport.request("/junk?count=10000&seed=1").body
    assert 9000 < int(refused) < 10000


def test_close_that_blocks_keeps_no_other_waiting(serve: Serve) -> None:
    http = Transport("http-tcp", serve(APP, "--threads", "2").address)
    with http.connect() as connection:
        connection.send(http.bytes_of("/blocks"))
        assert connection.read_response().body == b"all of it"
        assert http.request("/").body == b"fine"
        assert http.request("/unblock").body == b"unblocked"
        connection.send(http_request())
        assert connection.read_response().body == b"fine"
