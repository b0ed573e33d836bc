"""What `tapster status` says of the cache: each request in one counter, and what is held."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tests.cache.conftest import ask, call, target
from tests.control.operator import Operator
from tests.server import run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve
    from tests.process.conftest import Gates

FRESH = "Cache-Control: max-age=600"
BY_REQUEST = ("hits", "misses", "stale", "coalesced", "bypassed")
OPTIONS = ("--workers", "1", "--threads", "4")


def operated(serve: Serve, gates: Gates, directory: Path, size: str) -> Operator:
    path = directory / "control"
    server = serve(
        "fields:application", "--cache", size, *OPTIONS, "--control-socket", str(path), env=gates.env
    )
    return Operator(server, path)


def counters(operator: Operator) -> dict[str, int]:
    return operator.status()["front"]["cache"]


def test_each_request_counts_once(serve: Serve, gates: Gates, tmp_path: Path) -> None:
    operator = operated(serve, gates, tmp_path, "8MiB")
    server = operator.server
    assert counters(operator)["size"] == 8 << 20
    kept = target(FRESH, size=4000)
    # Missed and stored; hit; not kept at all; none of its business.
    for where, method in [(kept, "GET"), (kept, "GET"), (kept, "HEAD"), (target(), "GET"), (kept, "DELETE")]:
        ask(server, where, method=method)
    found = counters(operator)
    assert [found[name] for name in BY_REQUEST] == [2, 2, 0, 0, 1]
    assert (found["stored"], found["purged"], found["entries"], found["bytes"]) == (1, 1, 0, 0)
    ask(server, kept)
    assert 4000 < counters(operator)["bytes"] < 20_000
    assert run("purge", "*", "--control-socket", str(operator.path)).returncode == 0
    deadline = time.monotonic() + 20
    while counters(operator)["entries"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert (counters(operator)["purged"], counters(operator)["bytes"]) == (2, 0)


def test_stale_answers_and_those_of_a_crowd(serve: Serve, gates: Gates, tmp_path: Path) -> None:
    operator = operated(serve, gates, tmp_path, "8MiB")
    server = operator.server
    with ThreadPoolExecutor(5) as crowd:
        where = target(FRESH, gate="crowd")
        answers = [crowd.submit(ask, server, where)]
        gates.wait_inside("crowd")
        answers += [crowd.submit(ask, server, where) for _ in range(4)]
        (gates.directory / "crowd").touch()
        assert {call(answer.result()) for answer in answers} == {1}
    found = counters(operator)
    # Whoever came when it was stored has hit it.
    assert (found["misses"], found["coalesced"] + found["hits"]) == (1, 4)
    where = target("Cache-Control: max-age=1, stale-if-error=600", fails_after=1)
    renewed = target("Cache-Control: max-age=1", etag='"a"')
    deadline = time.monotonic() + 20
    while not all(counters(operator)[name] for name in ("stale", "revalidated")):
        assert ask(server, where).status == ask(server, renewed).status == 200
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_what_a_full_cache_lets_go(serve: Serve, gates: Gates, tmp_path: Path) -> None:
    operator = operated(serve, gates, tmp_path, "1MiB")
    for _ in range(40):
        ask(operator.server, target(FRESH, size=50_000))
    found = counters(operator)
    assert found["stored"] == found["evicted"] + found["entries"] == 40
    assert 0 < found["entries"] < 25
    assert found["bytes"] <= found["size"] == 1 << 20
    text = operator.say("status")
    assert re.search(
        r"\n  cache +\d+ targets kept, 1 of 1 MiB, 40 misses\n +40 stored, \d+ evicted\n", text
    ), text


def test_without_a_cache_nothing_is_said(serve: Serve, gates: Gates, tmp_path: Path) -> None:
    path = tmp_path / "control"
    server = serve(
        "fields:application", "--static", f"/s/={tmp_path}", "--control-socket", str(path), env=gates.env
    )
    operator = Operator(server, path)
    assert "cache" not in operator.status()["front"]
    assert "cache" not in operator.say("status")
