"""Which answers are kept, and which requests get them (RFC 9111), one row each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cache.conftest import ask, call, target
from tests.server import Server
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator

FRESH = "Cache-Control: max-age=600"
#: Thu, 01 Jan 2099
LATER, EARLIER = "Expires: Thu, 01 Jan 2099 00:00:00 GMT", "Expires: Thu, 01 Jan 1998 00:00:00 GMT"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Keeps what says that it may be kept; a second for what is below /soon/, nothing below /never/."""
    rules = (
        "--cache-path",
        "/soon/=600s",
        "--cache-path",
        "/soon/not/=off",
        "--cache-bypass-cookie",
        "login*",
    )
    options = ("--cache", "8MiB", *rules, "--cache-max-object", "64KiB", "--workers", "1", "--threads", "8")
    with Server.start("fields:application", *options) as started:
        yield started


@pytest.mark.parametrize(
    ("fields", "is_kept"),
    [
        ([FRESH], True),
        (["Cache-Control: MAX-AGE=600"], True),
        (['Cache-Control: max-age="600"'], True),
        (["Cache-Control: s-maxage=600"], True),
        (["Cache-Control: s-maxage=600, max-age=0"], True),
        (["Cache-Control: public, max-age=600"], True),
        ([LATER], True),
        (["Cache-Control: max-age=600", EARLIER], True),
        ([FRESH, "Vary: Accept-Language"], True),
        ([FRESH, "Age: 100"], True),
        ([], False),
        (["Last-Modified: Sat, 01 Jan 2000 00:00:00 GMT"], False),
        ([EARLIER], False),
        (["Expires: 0"], False),
        (["Cache-Control: public"], False),
        (["Cache-Control: max-age=0"], False),
        (["Cache-Control: max-age=x"], False),
        (["Cache-Control: max-age=600, no-store"], False),
        (["Cache-Control: max-age=600, no-cache"], False),
        (["Cache-Control: max-age=600, private"], False),
        (['Cache-Control: max-age=600, private="x-a"'], False),
        (["Cache-Control: max-age=600", "Cache-Control: No-Store"], False),
        (["Cache-Control: s-maxage=0, max-age=600"], False),
        ([FRESH, "Set-Cookie: a=1"], False),
        (["Cache-Control: public, max-age=600", "Set-Cookie: a=1"], False),
        ([FRESH, "Vary: *"], False),
        ([FRESH, "Vary: Cookie, *"], False),
        ([FRESH, "Age: 600"], False),
        ([FRESH, "Date: Sat, 01 Jan 2000 00:00:00 GMT"], False),
        ([FRESH, "Content-Range: bytes 0-1/2"], False),
    ],
)
def test_which_answers_are_kept(server: Server, fields: list[str], is_kept: bool) -> None:
    where = target(*fields)
    first, second = ask(server, where), ask(server, where)
    assert (call(first), call(second)) == (1, 1 if is_kept else 2), second.fields
    assert (second.get("Age") is not None) is (is_kept or any("Age" in field for field in fields))
    assert first.body == b"call 1\n"


@pytest.mark.parametrize(
    ("status", "is_kept"),
    [
        ("200 OK", True),
        ("203 Changed", True),
        ("301 Moved", True),
        ("308 Moved", True),
        ("302 Found", True),
        ("404 Not Found", True),
        ("410 Gone", True),
        ("201 Created", False),
        ("206 Partial Content", False),
        ("500 Oh", False),
        ("503 Busy", False),
        ("299 What", False),
    ],
)
def test_which_statuses_are_kept(server: Server, status: str, is_kept: bool) -> None:
    where = target(FRESH, status=status)
    assert [call(ask(server, where)) for _ in range(2)] == [1, 1 if is_kept else 2]


@pytest.mark.parametrize(
    ("fields", "is_answered"),
    [
        ({}, True),
        ({"Cookie": "theme=dark"}, True),
        ({"Cache-Control": "max-age=600"}, True),
        ({"Cache-Control": "max-stale"}, True),
        ({"Cache-Control": "only-if-cached"}, True),
        ({"Cache-Control": "no-cache"}, False),
        ({"Cache-Control": "NO-CACHE"}, False),
        ({"Pragma": "no-cache"}, False),
        ({"Cache-Control": "no-store"}, False),
        ({"Cache-Control": "min-fresh=900"}, False),
        ({"Authorization": "Basic YTpi"}, False),
        ({"Cookie": "theme=dark; login_42=1"}, False),
        ({"Host": "other.example"}, False),
        ({"X-Forwarded-Host": "evil.example"}, False),
        ({"X-Forwarded-Proto": "https"}, False),
        ({"x-original-url": "/admin"}, False),
        ({"X-HTTP-Method-Override": "DELETE"}, False),
        ({"Forwarded": "host=evil.example"}, False),
        ({"Host": "TEST.example"}, True),
    ],
)
def test_which_requests_are_answered(server: Server, fields: dict[str, str], is_answered: bool) -> None:
    where = target(FRESH)
    assert call(ask(server, where)) == 1
    assert call(ask(server, where, fields)) == (1 if is_answered else 2)
    # Whatever that was, the others get what they got.
    if "no-cache" not in str(fields).lower() and "min-fresh" not in str(fields):
        assert call(ask(server, where)) == 1


def test_nobody_is_asked_where_only_stored_answers_are_wanted(server: Server) -> None:
    server.allow("refused with 504")
    assert ask(server, target(FRESH), {"Cache-Control": "only-if-cached"}).status == 504


def test_vary_selects(server: Server) -> None:
    where = target(FRESH, "Vary: Accept-Language, X-Theme", echo="Accept-Language")
    languages = [
        {"Accept-Language": "de"},
        {"Accept-Language": "en"},
        {},
        {"Accept-Language": "de", "X-Theme": "a"},
    ]
    for number, fields in enumerate([*languages, *languages]):
        found = ask(server, where, fields)
        assert call(found) == number % 4 + 1
        assert found.get("X-Accept-Language") == fields.get("Accept-Language", "none")


def test_accept_encoding_counts_as_what_it_means(server: Server) -> None:
    where = target(FRESH, "Vary: Accept-Encoding", "Content-Encoding: gzip")
    for number, accepted in [
        (1, "gzip, br"),
        (1, "br;q=0.9, deflate, gzip;q=1"),
        (2, "gzip"),
        (2, "gzip;q=0.1"),
    ]:
        assert call(ask(server, where, {"Accept-Encoding": accepted})) == number


@pytest.mark.parametrize(
    "strange", ["/soon/..%2faccount", "/soon//a", "/soon/%2e%2e/a", "/soon/a%5cb", "/soon/./a", "/soon/..;/a"]
)
def test_paths_that_may_be_others_are_not_kept(server: Server, strange: str) -> None:
    assert [call(ask(server, f"{strange}?type=text/html")) for _ in range(2)] == [1, 2]


def test_rules_by_path(server: Server) -> None:
    def calls(where: str, fields: dict[str, str] | None = None) -> list[int]:
        return [call(ask(server, where, fields)) for _ in range(2)]

    assert calls(target(path="/soon/a")) == [1, 1]
    assert calls(target(path="/soon/b"), {"Cookie": "a=1"}) == [1, 2]
    assert calls(target("Cache-Control: no-cache", path="/soon/c")) == [1, 2]
    assert calls(target("Cache-Control: max-age=0", path="/soon/d")) == [1, 2]
    assert calls(target(path="/soon/e", status="500 Oh")) == [1, 2]
    assert calls(target(FRESH, path="/soon/not/a")) == [1, 2]


def test_large_answers_are_not_kept(server: Server) -> None:
    for more in ({"size": 70_000}, {"size": 30_000, "stream": 3}):
        where = target(FRESH, **more)
        first, second = ask(server, where), ask(server, where)
        assert (call(first), call(second)) == (1, 2)
        assert len(first.body) > 64 * 1024


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_what_is_written_is_forgotten(server: Server, method: str) -> None:
    where = target(FRESH)
    assert [call(ask(server, where)) for _ in range(2)] == [1, 1]
    assert call(exchange(server.address, http_request(method, where, body=b""))) == 2
    assert call(ask(server, where)) == 3


def test_what_an_answer_names_is_forgotten(server: Server) -> None:
    kept = [target(FRESH), target(FRESH), target(FRESH)]
    for where in kept:
        assert call(ask(server, where)) == 1
    own, full = kept[0].replace("?", "%3F", 0), f"http://test.example{kept[1]}"
    for named in (
        f"Location: {own}",
        f"Content-Location: {full}",
        f"Location: http://other.example{kept[2]}",
    ):
        exchange(server.address, http_request("POST", target(named), body=b""))
    assert [call(ask(server, where)) for where in kept] == [2, 2, 1]


def test_a_failed_write_forgets_nothing(server: Server) -> None:
    where = target(FRESH)
    assert call(ask(server, where)) == 1
    exchange(server.address, http_request("POST", where + "&status=400%20No", body=b""))
    assert call(ask(server, where)) == 1


def test_requests_with_bodies_pass_by(server: Server) -> None:
    where = target(FRESH)
    assert call(ask(server, where)) == 1
    assert call(exchange(server.address, http_request("GET", where, body=b"x"))) == 2
