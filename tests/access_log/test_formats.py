"""--access-log-format: common, combined, json, gunicorn's atoms and uWSGI's variables."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.access_log.asking import APP, ask, lines_of
from tests.server import Server, run

if TYPE_CHECKING:
    from pathlib import Path

FIELDS = {"User-Agent": 'curl "8"', "Referer": "http://a/", "X-Tenant": "acme\x9b"}
TIME = r"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\]"
SECONDS = r"\d+\.\d{6}"


def line(tmp_path: Path, form: str, target: str = "/said?tenant=42&note=a%0Ab") -> str:
    """What the format makes of one request."""
    path = tmp_path / "access.log"
    with Server.start(APP, "--access-log", str(path), "--access-log-format", form) as server:
        ask(server.address, target, fields=FIELDS)
        return lines_of(path, 1)[0]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (
            "auto",
            rf'127.0.0.1 - - {TIME} "GET /said\?\S+ HTTP/1.1" 200 4 "http://a/" "curl \\x228\\x22" {SECONDS}',
        ),
        ("common", rf'127.0.0.1 - ann {TIME} "GET /said\?\S+ HTTP/1.1" 200 4'),
        (
            "combined",
            rf'127.0.0.1 - ann {TIME} "GET /said\?\S+ HTTP/1.1" 200 4 "http://a/" "curl \\x228\\x22"',
        ),
        (
            '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(m)s %(U)s %(q)s %(H)s %(s)s %(B)s %(b)s %(f)s %(T)s %(M)s %(D)s %(L)s %(p)s',
            rf'127.0.0.1 - ann {TIME} "GET /said\?\S+ HTTP/1.1" GET /said \S+ \S+ 200 4 4 http://a/ 0 \d+ \d+ {SECONDS} <\d+>',
        ),
        (
            "%({X-Tenant}i)s %({x-kind}o)s %({content-length}o)s %({shop.cart}e)s %({none}i)s %(tenant)s %(note)s",
            r"acme\\x9b test 4 3 - 42 a\\nb",
        ),
        (
            "%(addr) %(method) %(uri) %(proto) %(status) %(rsize) %(hsize) %(size) %(headers) %(user) %(host)",
            r"127.0.0.1 GET /said\?\S+ HTTP/1.1 200 4 \d\d+ \d\d+ [3-9] ann test.example",
        ),
        (
            "%(msecs)ms %(micros) %(secs) %(pid) %(wid) %(core) %(epoch) %(ctime) [%(ltime)] %(var.HTTP_REFERER) %(tenant) 100%%",
            r"\d+ms \d+ 0 \d+ 1 \d \d{10} \w{3} \w{3} [ \d]\d [\d:]{8} \d{4} \[[^]]+ \+0000\] http://a/ 42 100%",
        ),
        (
            "%(worker) %(thread) %(queued) %(application) %(metric.requests)",
            rf"1 [1-4] {SECONDS} {SECONDS} \d+",
        ),
    ],
    ids=["auto", "common", "combined", "atoms", "of headers", "uwsgi", "uwsgi times", "own"],
)
def test_formats(tmp_path: Path, form: str, expected: str) -> None:
    found = line(tmp_path, form)
    assert re.fullmatch(expected, found), found


def test_json(tmp_path: Path) -> None:
    shown = json.loads(line(tmp_path, "json"))
    assert list(shown) == [
        *(
            "time",
            "client",
            "method",
            "target",
            "protocol",
            "status",
            "bytes",
            "duration",
            "queued",
            "application",
        ),
        *("worker", "thread", "pid", "request_id", "referer", "user_agent", "variables"),
    ]
    assert shown["status"] == 200
    assert shown["bytes"] == 4
    assert shown["worker"] == 1
    assert 0 <= shown["queued"] < shown["duration"] < 30
    assert shown["user_agent"] == 'curl "8"'
    assert shown["variables"] == {"tenant": "42", "note": "a\nb"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z", shown["time"])


def test_a_front_writes_its_own_lines_in_the_same_format(tmp_path: Path) -> None:
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "a.css").write_bytes(b"css")
    path = tmp_path / "access.log"
    form = "%(s)s %(U)s %({X-Tenant}i)s %({content-type}o)s %({content-length}o)s %(worker)s"
    words = ["--static", f"/static={tmp_path}/public", "--access-log", str(path), "--access-log-format", form]
    with Server.start(APP, *words) as server:
        ask(server.address, "/static/a.css", "/static/none", "/missing", fields=FIELDS)
        found = sorted(lines_of(path, 3))
    assert found[0] == r"200 /static/a.css acme\x9b text/css; charset=utf-8 3 -"
    assert found[1] == r"404 /missing acme\x9b text/plain 2 1"
    assert found[2].startswith(r"404 /static/none acme\x9b text/plain")


@pytest.mark.parametrize(
    ("form", "hint"),
    [
        ("%(statsu)", "did you mean %(status)?"),
        ("%(S)s", "did you mean %(s)s?"),
        ("%(switches)", "leave it out"),
        ("combine", "write auto, common, combined, json"),
    ],
)
def test_what_is_not_known_stops_the_start(form: str, hint: str) -> None:
    refused = run(APP, "--bind", "127.0.0.1:0", "--access-log-format", form)
    assert refused.returncode == 2
    assert "--access-log-format" in refused.stderr
    assert hint in refused.stderr
