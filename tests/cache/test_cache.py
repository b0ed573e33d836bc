"""The cache at work: one call for a crowd, stale answers, validators and parts, compression, reloads, purging."""

from __future__ import annotations

import gzip
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.cache.conftest import ask, call, target
from tests.front.conftest import pid_of
from tests.server import Server, run, wait_gone
from tests.upstreams.backend import Backend
from tests.wire import Connection, http_request

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from tests.conftest import Serve
    from tests.process.conftest import Gates

FRESH = "Cache-Control: max-age=600"
OPTIONS = ("fields:application", "--cache", "8MiB", "--workers", "1", "--threads", "8")


@pytest.fixture
def server(serve: Serve, gates: Gates, tmp_path: Path) -> Server:
    """Keeps what says that it may be kept."""
    return serve(*OPTIONS, "--control-socket", f"{tmp_path}/control", env=gates.env)


def test_one_call_for_a_crowd(server: Server, gates: Gates) -> None:
    """A hundred clients, of which one is slow and one leaves, while the application takes its time."""
    where = target(FRESH, gate="crowd", size=200_000)
    with ThreadPoolExecutor(100) as crowd, Connection(server.address) as first:
        first.send(http_request("GET", where))
        gates.wait_inside("crowd")
        others = [crowd.submit(ask, server, where) for _ in range(100)]
        with Connection(server.address) as gone:
            gone.send(http_request("GET", where))
            gone.reset()
        (gates.directory / "crowd").touch()
        answers = [other.result() for other in others]
        assert {call(answer) for answer in answers} == {1}
        assert {len(answer.body) for answer in answers} == {200_007}
        assert len(first.read_response().body) == 200_007
    words = {(answer.get("Cache-Status") or "").split("; ttl")[0] for answer in answers}
    assert words <= {"tapster; fwd=miss; collapsed", "tapster; hit"}


def test_whoever_asked_first_may_leave(server: Server, gates: Gates) -> None:
    where = target(FRESH, gate="left")
    with Connection(server.address) as first:
        first.send(http_request("GET", where))
        gates.wait_inside("left")
        first.reset()
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(ask, server, where)
        (gates.directory / "left").touch()
        assert call(second.result()) == 1


def test_nobody_queues_for_what_is_not_kept(server: Server, gates: Gates) -> None:
    """Four requests for an answer that nobody else may have are four calls at a time, after the first."""
    where = target(gate="own")
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(ask, server, where)
        gates.wait_inside("own")
        (gates.directory / "own").touch()
        assert call(first.result()) == 1
        (gates.directory / "own").unlink()
        (gates.directory / "own.waiting").unlink()
        others = [pool.submit(ask, server, where) for _ in range(4)]
        deadline = time.monotonic() + 10
        while (gates.directory / "own.waiting").exists() is False or gates.wait_inside("own") < 5:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        (gates.directory / "own").touch()
        assert sorted(call(other.result()) for other in others) == [2, 3, 4, 5]


def test_who_waits_too_long_asks_itself(serve: Serve, gates: Gates) -> None:
    server = serve(*OPTIONS, "--cache-lock-timeout", "50ms", env=gates.env)
    where = target(FRESH, gate="slow")
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(ask, server, where) for _ in range(2)]
        deadline = time.monotonic() + 10
        while gates.wait_inside("slow") < 2:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        (gates.directory / "slow").touch()
        assert sorted(call(answer.result()) for answer in both) == [1, 2]


def test_stale_answers_are_given_while_a_new_one_is_fetched(server: Server, gates: Gates) -> None:
    where = target("Cache-Control: max-age=1, stale-while-revalidate=600", gate="swr")
    (gates.directory / "swr").touch()
    assert call(ask(server, where)) == 1
    (gates.directory / "swr").unlink()
    (gates.directory / "swr.waiting").unlink()
    deadline = time.monotonic() + 10
    # Until it is stale, and being fetched: everybody is answered meanwhile.
    while not (gates.directory / "swr.waiting").exists():
        assert call(ask(server, where)) == 1
        assert time.monotonic() < deadline
    assert call(ask(server, where)) == 1
    (gates.directory / "swr").touch()
    while call(ask(server, where)) == 1:
        assert time.monotonic() < deadline


def test_stale_answers_are_given_instead_of_errors(server: Server) -> None:
    where = target("Cache-Control: max-age=1, stale-if-error=600", fails_after=1)
    strict = target("Cache-Control: max-age=1, stale-if-error=600, must-revalidate", fails_after=1)
    assert [ask(server, place).status for place in (where, strict)] == [200, 200]
    deadline = time.monotonic() + 10
    while ask(server, strict).status == 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    found = ask(server, where)
    assert (found.status, call(found)) == (200, 1)
    assert "ttl=-" in (found.get("Cache-Status") or "")


def test_stale_answers_are_asked_about(server: Server) -> None:
    where = target("Cache-Control: max-age=1", etag='"a"', size=4000)
    assert call(ask(server, where)) == 1
    deadline = time.monotonic() + 10
    while call(found := ask(server, where)) == 1:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    # The application said 304, and so the body is that of the first call.
    assert (found.status, found.body[:7]) == (200, b"call 1\n")
    assert (found.get("Cache-Status") or "").startswith("tapster; fwd=stale; stored")


def test_validators_and_parts_of_what_is_kept(server: Server) -> None:
    where = target(FRESH, "Last-Modified: Sat, 01 Jan 2022 00:00:00 GMT", etag='"a"', size=4000)
    whole = ask(server, where).body
    for fields, status in [
        ({"If-None-Match": '"a"'}, 304),
        ({"If-None-Match": 'W/"a"'}, 304),
        ({"If-None-Match": '"b"'}, 200),
        ({"If-Modified-Since": "Sat, 01 Jan 2022 00:00:00 GMT"}, 304),
        ({"If-Modified-Since": "Fri, 31 Dec 2021 00:00:00 GMT"}, 200),
        ({"If-Match": '"b"'}, 412),
        ({"Range": "bytes=0-3"}, 206),
        ({"Range": "bytes=-4", "If-Range": '"a"'}, 206),
        ({"Range": "bytes=-4", "If-Range": '"b"'}, 200),
        ({"Range": "bytes=5000-"}, 416),
        ({"Range": "bytes=-9223372036854775808,-9223372036854775608"}, 200),
    ]:
        found = ask(server, where, fields)
        assert (found.status, call(found) if status in (200, 206, 304) else 1) == (status, 1), fields
        if status == 206:
            assert found.body == (whole[:4] if fields["Range"] == "bytes=0-3" else whole[-4:])
        assert found.body == whole or status != 200
    head = ask(server, where, method="HEAD")
    assert (head.status, head.body, head.get("Content-Length")) == (200, b"", str(len(whole)))
    assert call(head) == 1


def test_weak_tags_and_answers_without_any(server: Server) -> None:
    weak, none = target(FRESH, etag='W/"a"', size=100), target(FRESH, size=100)
    for where in (weak, none):
        assert ask(server, where).status == 200
    assert ask(server, weak, {"If-None-Match": 'W/"a"'}).status == 304
    assert ask(server, weak, {"If-Match": 'W/"a"'}).status == 412
    assert ask(server, weak, {"Range": "bytes=0-1", "If-Range": 'W/"a"'}).status == 200
    assert ask(server, none, {"If-None-Match": '""'}).status == 200
    assert ask(server, none, {"If-Modified-Since": "Sat, 01 Jan 2050 00:00:00 GMT"}).status == 200
    assert (
        ask(server, none, {"Range": "bytes=0-1", "If-Range": "Sat, 01 Jan 2022 00:00:00 GMT"}).status == 200
    )
    assert ask(server, none, {"Range": "bytes=0-1"}).status == 206


def test_what_it_says_of_itself(server: Server) -> None:
    where = target(FRESH)
    first, second = ask(server, where), ask(server, where)
    assert (first.get("Cache-Status") or "").startswith("tapster; fwd=miss; stored; ttl=")
    assert int(second.get("Age") or -1) >= int(first.get("Age") or 0)
    assert (second.get("Cache-Status") or "").startswith("tapster; hit; ttl=")
    assert first.get("Date") == second.get("Date")
    assert int((ask(server, target(FRESH, "Age: 500"))).get("Age") or 0) >= 500


def test_kept_answers_are_compressed(serve: Serve, gates: Gates) -> None:
    server = serve(*OPTIONS, "--compress", "on", env=gates.env)
    where = target(FRESH, etag='"a"', size=4000)
    plain = ask(server, where)
    for coding in ("gzip", "br", "zstd"):
        found = ask(server, where, {"Accept-Encoding": coding})
        assert (found.get("Content-Encoding"), found.get("ETag"), call(found)) == (coding, 'W/"a"', 1)
        assert found.get("Content-Length") == str(len(found.body))
        if coding == "gzip":
            assert gzip.decompress(found.body) == plain.body
        again = ask(server, where, {"Accept-Encoding": coding, "If-None-Match": 'W/"a"'})
        assert (again.status, again.get("ETag")) == (304, 'W/"a"')
    part = ask(server, where, {"Accept-Encoding": "gzip", "Range": "bytes=0-3"})
    assert (part.status, part.body, part.get("Content-Encoding")) == (206, b"call", None)


def test_it_outlives_the_workers(server: Server) -> None:
    where = target(FRESH)
    assert call(ask(server, where)) == 1
    old = pid_of(server, "tapster-w")
    server.send(signal.SIGHUP)
    wait_gone(old, 20)
    assert call(ask(server, where)) == 1
    assert call(ask(server, target(FRESH))) == 1


def test_memory_is_bounded(serve: Serve, gates: Gates) -> None:
    """The least wanted answers go; the one that everybody wants stays."""
    server = serve("fields:application", "--cache", "1MiB", "--threads", "4", env=gates.env)
    wanted = target(FRESH, size=1000)
    assert call(ask(server, wanted)) == 1
    with Connection(server.address) as connection:
        for _ in range(100):
            for where in (wanted, target(FRESH, size=50_000)):
                connection.send(http_request("GET", where))
                assert call(connection.read_response()) == 1


def test_purge(server: Server, tmp_path: Path) -> None:
    def purge(what: str) -> None:
        done = run("purge", what, "--control-socket", f"{tmp_path}/control")
        assert (done.returncode, done.stdout) == (0, "1 front told to forget\n"), done.stderr

    css, js, other = target(FRESH, path="/a/css"), target(FRESH, path="/a/js"), target(FRESH, path="/b")
    for where in (css, js, other):
        ask(server, where)
    for what, expected in [
        (f"http://test.example{css}", [2, 1, 1]),
        (f"HTTP://TEST.example{css}", [3, 1, 1]),
        (css, [4, 1, 1]),
        ("/a/*", [5, 2, 1]),
        ("http://other.example/*", [5, 2, 1]),
        ("http://test.example/b*", [5, 2, 2]),
        ("*", [6, 3, 3]),
    ]:
        purge(what)
        assert [call(ask(server, where)) for where in (css, js, other)] == expected, what
    # Nobody else may.
    assert ask(server, css, method="PURGE").status in (200, 405)
    assert call(ask(server, css)) >= 6


def test_purge_without_a_cache(serve: Serve, tmp_path: Path) -> None:
    serve("fields:application", "--control-socket", f"{tmp_path}/control")
    done = run("purge", "*", "--control-socket", f"{tmp_path}/control")
    assert (done.returncode, "--cache" in done.stderr) == (1, True)


def test_upstreams_answers_are_kept_and_held(serve: Serve) -> None:
    """What an upstream said is given again when it is gone; half an answer is nobody's."""
    whole = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 2\r\n\r\nok"
    half = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 20\r\n\r\nhalf"

    def script(head: bytes, _body: bytes, connection: socket.socket) -> bytes:
        if b"/half" in head:
            connection.sendall(half)
            connection.close()
            return b""
        return whole

    with Backend(script) as backend:
        server = serve("front", "--upstream", backend.url, "--cache", "1MiB", "--hold", "0")
        assert ask(server, "/whole").body == b"ok"
        with Connection(server.address) as connection:
            connection.send(http_request("GET", "/half"))
            connection.read_head()
            connection.read_to_end()
        count = len(backend.heads)
        assert [ask(server, "/whole").body for _ in range(3)] == [b"ok"] * 3
        assert len(backend.heads) == count
    assert ask(server, "/whole").body == b"ok"
    assert ask(server, "/half").status == 502
    server.allow("refused with 502")
