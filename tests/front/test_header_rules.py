"""`--response-header` and `--request-header`: whoever answers, whatever the status, whatever the client speaks."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.front.conftest import SMALL, put
from tests.server import Server, run
from tests.upstreams.backend import Backend
from tests.uwsgi_packet import uwsgi_request
from tests.wire import Connection, Response, exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RULES = (
    *("--response-header", "X-Frame-Options: DENY"),
    *("--response-header", "X-Where: $method $uri of $host by $client"),
    *("--response-header", "+Link: </a>"),
    *("--response-header", "+Link: </b>"),
    *("--response-header", "?Content-Type: text/x-never"),
    *("--response-header", "?X-Default: given"),
    *("--response-header", "-Server"),
    *("--request-header", "X-Real-IP: $client"),
    *("--request-header", "X-Via-Front: $request_id"),
    *("--request-header", "-Cookie"),
    *("--request-header", "+X-List: c"),
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("rules")
    put(base / "public" / "a.css", SMALL)
    return base


@pytest.fixture(scope="module")
def workers(files: Path) -> Iterator[Server]:
    """Before workers, with files and a cache."""
    options = ("--static", f"/static/={files}/public", "--limit-request-fields", "20")
    with Server.start("environ_page:application", *options, *RULES, "--cache", "1MiB") as started:
        yield started


def ask(
    server: Server, target: str = "/", fields: dict[str, str] | None = None, method: str = "GET"
) -> Response:
    return exchange(server.address, http_request(method, target, fields), method)


def assert_changed(answer: Response, where: str) -> None:
    assert answer.all("X-Frame-Options") == ["DENY"]
    assert answer.get("X-Where") == f"{where} of test.example by 127.0.0.1"
    assert answer.all("Link") == ["</a>", "</b>"]
    assert answer.get("Server") is None
    assert answer.get("X-Default") == "given"


def test_answers_of_workers(workers: Server) -> None:
    answer = ask(workers, "/a?b=c")
    assert_changed(answer, "GET /a?b=c")
    assert answer.get("Content-Type") == "application/json"
    assert_changed(ask(workers, "/a", method="HEAD"), "HEAD /a")


def test_files_and_their_errors(workers: Server) -> None:
    for fields, status in (
        ({}, 200),
        ({"Range": "bytes=0-1"}, 206),
        ({"Range": "bytes=900-"}, 416),
        ({"If-None-Match": "*"}, 304),
        ({"If-Match": '"other"'}, 412),
    ):
        answer = ask(workers, "/static/a.css", fields)
        assert answer.status == status
        assert_changed(answer, "GET /static/a.css")
    assert ask(workers, "/static/a.css").get("Content-Type") == "text/css; charset=utf-8"
    assert_changed(ask(workers, "/static/a.css", method="POST"), "POST /static/a.css")


def test_refusals(workers: Server) -> None:
    too_large = exchange(
        workers.address,
        http_request("POST", "/x", {"Content-Length": "99999999999999", "Expect": "100-continue"}),
    )
    assert too_large.status == 413
    assert_changed(too_large, "POST /x")
    # Of what is no request there is nothing to say.
    with Connection(workers.address) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n")
        refused = client.read_response()
        assert refused.status == 400
        assert (refused.get("X-Frame-Options"), refused.get("X-Where")) == ("DENY", None)


def test_what_the_application_gets(workers: Server) -> None:
    sent = {
        "Cookie": "a=b",
        "X-Real-IP": "6.6.6.6",
        "X_Real_Ip": "6.6.6.6",
        "X-List": "a",
        "X-Via-Front": "lie",
    }
    page = json.loads(ask(workers, "/", sent).body)
    assert "HTTP_COOKIE" not in page
    assert page["HTTP_X_REAL_IP"][1] == "127.0.0.1"
    assert page["HTTP_X_LIST"][1] == "a, c"
    assert len(page["HTTP_X_VIA_FRONT"][1]) == 32


def test_clients_of_uwsgi(workers: Server) -> None:
    fields = {"Cookie": "a=b", "X-Real-IP": "6.6.6.6", "X-List": "a"}
    answer = exchange(workers.address, uwsgi_request("GET", "/u?v", fields))
    assert answer.get("X-Where") == "GET /u?v of test.example by 192.0.2.7"
    page = json.loads(answer.body)
    assert "HTTP_COOKIE" not in page
    assert (page["HTTP_X_REAL_IP"][1], page["HTTP_X_LIST"][1]) == ("192.0.2.7", "a, c")
    assert page["PATH_INFO"][1] == "/u"


def test_http2(workers: Server) -> None:
    url = f"http://{workers.address}/h2"
    command = [
        "curl",
        "-sSi",
        "--http2-prior-knowledge",
        "-H",
        "Host: test.example",
        "-H",
        "Cookie: a=b",
        url,
    ]
    text = subprocess.run(command, capture_output=True, timeout=60, check=True).stdout.decode()
    assert "\r\nx-where: GET /h2 of test.example by 127.0.0.1\r\n" in text
    assert text.count("\r\nlink: ") == 2
    assert "HTTP_COOKIE" not in text


def test_stored_answers_are_changed_when_they_are_sent(tmp_path: Path) -> None:
    page = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\nX-Own: 1\r\n\r\nok"
    rules = (
        "--response-header",
        "X-Method: $method",
        "--response-header",
        "+X-More: 1",
        "--response-header",
        "-X-Own",
    )
    with Backend(page) as backend:
        url = ("front", "--upstream", backend.url, "--cache", "1MiB", "--request-header", "X-Asked: yes")
        with Server.start(*url, *rules) as server:
            first, second = ask(server), ask(server)
            head = ask(server, method="HEAD")
            assert len(backend.heads) == 1
            assert backend.fields()["x-asked"] == "yes"
    assert "hit" in (second.get("Cache-Status") or "")
    for answer, method in ((first, "GET"), (second, "GET"), (head, "HEAD")):
        assert (answer.get("X-Method"), answer.all("X-More")) == (method, ["1"])
        assert answer.get("X-Own") is None


def test_each_level_adds_to_the_one_above(tmp_path: Path) -> None:
    public = tmp_path / "public"
    put(public / "a.css", SMALL)
    with Backend() as backend:
        (tmp_path / "tapster.toml").write_text(
            f"""
            [front]
            response-header = ["X-Level: top", "+X-All: top"]
            request-header = "X-Asked: $scheme"
            [front.sites."a.test"]
            upstream = "{backend.url}"
            static = "/static/={public}"
            response-header = ["X-Level: site", "+X-All: site"]
            [front.sites."a.test".routes."/api"]
            upstream = "{backend.url}"
            response-header = ["X-Level: route", "-X-All"]
            request-header = ["X-Asked: route"]
            [front.sites."b.test"]
            redirect = "https://a.test"
            """
        )
        with Server.start("front", cwd=tmp_path) as server:

            def levels(host: str, target: str) -> tuple[int, str | None, list[str]]:
                answer = ask(server, target, {"Host": host})
                return answer.status, answer.get("X-Level"), answer.all("X-All")

            assert levels("a.test", "/") == (200, "site", ["top", "site"])
            assert backend.fields()["x-asked"] == "http"
            assert levels("a.test", "/api/x") == (200, "route", [])
            assert backend.fields()["x-asked"] == "route"
            assert levels("a.test", "/static/a.css") == (200, "site", ["top", "site"])
            assert levels("b.test", "/") == (301, "top", ["top"])
            assert levels("c.test", "/") == (421, "top", ["top"])


@pytest.mark.parametrize(
    ("option", "rule", "why"),
    [
        ("response-header", "Content-Length: 3", "no rule can change Content-Length"),
        ("response-header", "-Transfer-Encoding", "no rule can change Transfer-Encoding"),
        ("response-header", "X: a\r\nY: b", "may not stand in a field"),
        ("response-header", "X Y: a", "name of a field"),
        ("response-header", "X: $nobody", "a variable that is not known"),
        ("request-header", "Host: a", "no rule can change Host"),
        ("request-header", "X-Forwarded-For: $client", "--forwarded-allow-ips"),
    ],
)
def test_what_no_rule_may_do_stops_the_start(option: str, rule: str, why: str) -> None:
    found = run("plain:application", f"--{option}", rule)
    assert found.returncode != 0
    assert f"--{option}" in found.stderr
    assert why in found.stderr
