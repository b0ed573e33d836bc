"""One name for a request on its whole way: in the answer, in the environ and in the log, over every protocol and hop; and the
fields of tracing (W3C Trace Context), which nothing on the way touches.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Callable

import pytest

from tests.cache.conftest import target
from tests.front.http2_frames import Http2
from tests.front.nearby import nearby
from tests.server import Server
from tests.uwsgi_packet import uwsgi_request
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.address import Address

#: Sends a request with these fields; the environ, and the name that the answer says.
Ask = Callable[["Address", "Mapping[str, str]"], "tuple[dict[str, str], str | None]"]

#: A peer that is believed by default, and an address that is not listed.
PROXY, STRANGER = "127.0.0.1", "127.0.0.9"

MADE = re.compile(r"[0-9a-f]{32}")

TRACE = {
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "tracestate": "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
}


def by_http1(address: Address, fields: Mapping[str, str]) -> tuple[dict[str, str], str | None]:
    """Over HTTP/1."""
    answer = exchange(address, http_request(fields=dict(fields)))
    return environ(answer.body), answer.get("X-Request-ID")


def by_uwsgi(address: Address, fields: Mapping[str, str]) -> tuple[dict[str, str], str | None]:
    """Over uwsgi."""
    answer = exchange(address, uwsgi_request(fields=dict(fields)))
    return environ(answer.body), answer.get("X-Request-ID")


def by_http2(address: Address, fields: Mapping[str, str]) -> tuple[dict[str, str], str | None]:
    """Over HTTP/2."""
    pseudo = ((":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "test.example"))
    with Http2(address) as client:
        client.request(1, (*pseudo, *((name.lower(), value) for name, value in fields.items())))
        answer = client.answer()
    return environ(answer.body), answer.heads[-1].get("x-request-id")


def environ(page: bytes) -> dict[str, str]:
    """Of the application's page."""
    return {key: value for key, (_, value) in json.loads(page).items()}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a file."""
    directory = tmp_path_factory.mktemp("files")
    (directory / "a.txt").write_text("a file\n")
    return directory


@pytest.fixture(scope="module", params=["worker", "front", "http-upstream", "uwsgi-upstream"])
def way(request: pytest.FixtureRequest, files: Path) -> Iterator[Server]:
    """A server whose requests take this way to the application."""
    app = ("environ_page:application", "--threads", "2")
    named = ("--request-id", "on", "--access-log", "on")
    static = ("--static", f"/files={files}")
    if request.param == "worker":
        with Server.start(*app, *named) as server:
            yield server
    elif request.param == "front":
        with Server.start(*app, *named, *static) as server:
            yield server
    else:
        with Server.start(*app) as backend:
            scheme = "http" if request.param == "http-upstream" else "uwsgi"
            with Server.start(
                "front", "--upstream", f"{scheme}://{backend.address}", *named, *static
            ) as server:
                yield server


def asks(server: Server) -> list[Ask]:
    """The protocols of its clients."""
    is_worker = "front" not in server.arguments and "--static" not in server.arguments
    return [by_http1, by_uwsgi] if is_worker else [by_http1, by_uwsgi, by_http2]


def knows_by_itself(server: Server) -> bool:
    """Whether it runs the application itself."""
    return "front" not in server.arguments


def test_a_name_is_made_for_each_request(way: Server) -> None:
    names: set[str] = set()
    for ask in asks(way) * 2:
        seen, said = ask(way.address, {})
        assert said is not None
        assert MADE.fullmatch(said)
        assert seen["HTTP_X_REQUEST_ID"] == said
        if knows_by_itself(way):
            assert seen["tapster.request_id"] == said
        names.add(said)
    assert len(names) == 2 * len(asks(way))


def test_a_proxys_name_is_kept(way: Server) -> None:
    for number, ask in enumerate(asks(way)):
        name = f"Root=1-{number};Self=a/b"
        seen, said = ask(way.address, {"X-Request-ID": name})
        assert (seen["HTTP_X_REQUEST_ID"], said) == (name, name)


@pytest.mark.parametrize("name", ["a b", 'a"b', "<a>", "x" * 129])
def test_what_is_no_name_is_replaced(way: Server, name: str) -> None:
    for ask in asks(way):
        seen, said = ask(way.address, {"X-Request-ID": name})
        assert said is not None
        assert MADE.fullmatch(said)
        assert seen["HTTP_X_REQUEST_ID"] == said


def test_tracing_passes_untouched(way: Server) -> None:
    for ask in asks(way):
        seen, _ = ask(way.address, TRACE)
        assert seen["HTTP_TRACEPARENT"] == TRACE["traceparent"]
        assert seen["HTTP_TRACESTATE"] == TRACE["tracestate"]


@pytest.mark.parametrize("options", [(), ("--deny", "192.0.2.66")], ids=["worker", "front"])
def test_a_stranger_names_nothing(options: tuple[str, ...]) -> None:
    trust = ("--forwarded-allow-ips", PROXY)
    with Server.start("environ_page:application", "--request-id", "on", *trust, *options) as server:
        seen, said = by_http1(nearby(server.address, STRANGER), {"X-Request-ID": "one"})
        assert said is not None
        assert MADE.fullmatch(said)
        assert seen["HTTP_X_REQUEST_ID"] == seen["tapster.request_id"] == said
        assert by_http1(nearby(server.address, PROXY), {"X-Request-ID": "one"})[1] == "one"


def test_requests_of_one_connection_have_names_of_their_own(way: Server) -> None:
    with Connection(way.address) as connection:
        names: list[str | None] = []
        for fields in [{}, {"X-Request-ID": "mine"}, {}]:
            connection.send(http_request(fields=fields))
            names.append(connection.read_response().get("X-Request-ID"))
    assert names[1] == "mine"
    assert len(set(names)) == 3


def test_answers_of_the_front_are_named(way: Server) -> None:
    if "--static" not in way.arguments:
        return
    for path in ["/files/a.txt", "/files/none", "/files"]:
        answer = exchange(way.address, http_request(target=path, fields={"X-Request-ID": "mine"}))
        assert answer.get("X-Request-ID") == "mine", path


def test_without_the_option_nothing_is_said(tmp_path: Path) -> None:
    for options in [(), ("--static", f"/files={tmp_path}")]:
        with Server.start("environ_page:application", *options) as server:
            seen, said = by_http1(server.address, {"X-Request-ID": "theirs"})
            assert (seen["HTTP_X_REQUEST_ID"], said) == ("theirs", None)
            assert "tapster.request_id" not in seen


def test_another_header() -> None:
    with Server.start("environ_page:application", "--request-id", "X-Correlation-ID") as server:
        answer = exchange(server.address, http_request(fields={"x-correlation-id": "c-1"}))
        seen = environ(answer.body)
        assert answer.get("X-Correlation-ID") == seen["HTTP_X_CORRELATION_ID"] == "c-1"
        assert seen["tapster.request_id"] == "c-1"


@pytest.mark.parametrize("options", [(), ("--deny", "192.0.2.66")], ids=["worker", "front"])
def test_log_lines_name_the_request(options: tuple[str, ...]) -> None:
    limit = ("--request-timeout", "500ms")
    with Server.start("answers:application", "--request-id", "on", *options) as server:
        exchange(server.address, http_request(target="/raise", fields={"X-Request-ID": "that-one"}))
        server.log.wait_for(r"\[error\] TAP0301 GET /raise .*\(request that-one\)")
    with Server.start("stuck:application", "--request-id", "on", *limit, *options) as server:
        late = exchange(server.address, http_request(target="/sleep", fields={"X-Request-ID": "late-one"}))
        assert (late.status, late.get("X-Request-ID")) == (504, "late-one")
        server.log.wait_for(r"GET /sleep .*--request-timeout.*\(request late-one\)")


def test_a_stored_answer_is_named_anew() -> None:
    with Server.start("fields:application", "--request-id", "on", "--cache", "8MiB") as server:
        where = target("Cache-Control: max-age=600")
        answers = [
            exchange(server.address, http_request(target=where, fields={"X-Request-ID": name}))
            for name in ["one", "two"]
        ]
    assert [answer.all("X-Request-ID") for answer in answers] == [["one"], ["two"]]
    assert (answers[1].get("Cache-Status") or "").startswith("tapster; hit")
