"""The log's own entries: ids, JSON by option, tracebacks whole and in one record, repeats counted."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tests.server import run
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve
    from tests.server import Server

APP = """
import tapster

def inner(environ):
    try:
        raise KeyError("first")
    except KeyError as error:
        raise ValueError(environ["PATH_INFO"].partition("-")[2]) from error

def app(environ, start_response):
    if environ["PATH_INFO"].startswith("/fail"):
        inner(environ)
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""


def started(serve: Serve, directory: Path, *words: str) -> Server:
    (directory / "fails.py").write_text(APP, "utf-8")
    server = serve("fails:app", *words, cwd=directory)
    server.allow("KeyError|ValueError")
    return server


def ask(server: Server, path: str) -> None:
    exchange(server.address, http_request(target=path, fields={"Connection": "close"}))


def objects(server: Server) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.log.find(r"^\{")]


def test_text_has_the_id_and_the_application_s_frames_alone(serve: Serve, tmp_path: Path) -> None:
    server = started(serve, tmp_path)
    ask(server, "/fail-here?secret")
    server.log.wait_for(r"\[error\] TAP0301 GET /fail-here failed: .* \(worker 1, thread \d+\)$")
    server.log.wait_for("    ValueError: here")
    assert not server.log.find("tapster/")
    assert not server.log.find("TAP0301.*secret")
    assert server.log.find("KeyError: 'first'"), "what the exception comes from"
    assert not server.log.find(r"\[(info|debug)\] TAP")


def test_json_is_an_object_a_line_with_all_that_is_known(serve: Serve, tmp_path: Path) -> None:
    server = started(serve, tmp_path, "--log-format", "json", "--request-id", "on")
    ask(server, "/fail-here?secret")
    server.log.wait_for("TAP0301")
    [failure] = [found for found in objects(server) if found.get("id") == "TAP0301"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", failure.pop("time"))
    trace = failure.pop("traceback")
    assert trace.startswith("Traceback (most recent call last):\n") and trace.endswith("\nValueError: here")
    assert len(failure.pop("request_id")) == 32
    assert failure.pop("pid") and failure.pop("thread")
    assert failure == {
        "level": "error",
        "worker": 1,
        "id": "TAP0301",
        "message": "GET /fail-here failed: answered with 500",
        "method": "GET",
        "path": "/fail-here",
    }
    [ready] = [found for found in objects(server) if found["message"].startswith("ready after")]
    assert set(ready) == {"time", "level", "pid", "message"}


def test_what_repeats_is_counted_and_what_differs_is_not(serve: Serve, tmp_path: Path) -> None:
    server = started(serve, tmp_path, "--log-repeats", "3")
    for _ in range(20):
        ask(server, "/fail-same")
    for number in range(20):
        ask(server, f"/fail-other{number}")
    server.log.wait_for("ValueError: other19")
    # Where the machine is slow the time of ten seconds may be over in the middle.
    same = len(server.log.find("ValueError: same"))
    assert 3 <= same < 20
    assert len(server.log.find("ValueError: other")) == 20
    server.log.wait_for(r"TAP0301 GET /fail-same failed: .* … repeated \d+ times in 10 s \(--log-repeats\)")
    told = server.log.find(r"… repeated \d+ times")
    counts = [re.search(r"repeated (\d+) times", line) for line in told]
    assert sum(int(found[1]) for found in counts if found) == 20 - same


def test_with_0_every_one_is_logged(serve: Serve, tmp_path: Path) -> None:
    server = started(serve, tmp_path, "--log-repeats", "0")
    for _ in range(15):
        ask(server, "/fail-same")
    ask(server, "/fail-last")
    server.log.wait_for("ValueError: last")
    assert len(server.log.find("ValueError: same")) == 15


def test_each_id_has_a_page_and_what_ends_a_start_has_one() -> None:
    refused = run("app:app", "--workerz", "2")
    assert refused.stderr.startswith("tapster: error: TAP0101 ")
    page = run("explain", "TAP0301")
    assert (page.returncode, page.stderr) == (0, "")
    assert page.stdout.startswith("TAP0301 application-failed (error)\n") and "--log-repeats" in page.stdout
    assert "TAP0402 error   cannot-accept\n" in run("explain").stdout
    unknown = run("explain", "TAP0300")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "TAP0301 application-failed" in unknown.stderr
