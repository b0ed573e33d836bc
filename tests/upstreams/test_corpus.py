"""The corpus of malformed, ambiguous and odd requests, sent through a front alone to a Tapster behind it: the front refuses
what a worker refuses, and nothing reaches the upstream that it would take for something else. The tests are those of
tests/http.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.http import accepted
from tests.http.test_strictness import (
    test_a_head_that_ends_early_is_logged,
    test_a_tls_hello_is_named,
    test_refused,
    test_what_came_before_a_refused_request_is_answered,
)
from tests.server import Server
from tests.upstreams.backend import Backend
from tests.wire import Connection, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.http.accepted import Accepted

__all__ = [
    "test_a_head_that_ends_early_is_logged",
    "test_a_tls_hello_is_named",
    "test_refused",
    "test_what_came_before_a_refused_request_is_answered",
]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A front before an application that remembers what it saw."""
    with (
        Server.start("witness:application", "--threads", "4") as upstream,
        Server.start("front", "--upstream", f"http://{upstream.address}", "--http2", "off") as front,
    ):
        yield front


@pytest.fixture(scope="module")
def recorded() -> Iterator[tuple[Server, Backend]]:
    """A front before an upstream that keeps what it was sent."""
    with Backend() as backend, Server.start("front", "--upstream", backend.url) as front:
        yield front, backend


@pytest.mark.parametrize("case", accepted.CASES, ids=[case.name for case in accepted.CASES])
def test_every_request_is_one_request_to_the_upstream(
    recorded: tuple[Server, Backend], case: Accepted
) -> None:
    """Framed in one way, with the body that an application would see, and the next one is the next."""
    front, backend = recorded
    before = len(backend.heads)
    with Connection(front.address) as connection:
        connection.send(case.request)
        assert connection.read_response().status == 200
        if not case.closes:
            connection.send(http_request(target="/canary"))
            assert connection.read_response().status == 200
    first, *others = backend.heads[before:]
    names = [line.split(b":")[0].lower() for line in first.split(b"\r\n")[1:-2]]
    assert first.split(b"\r\n")[0].endswith(b" HTTP/1.1")
    assert names.count(b"host") == 1
    assert names.count(b"content-length") <= 1
    assert b"transfer-encoding" not in names
    body = str(case.saw.get("body", ""))
    assert backend.bodies[before] == (
        body.encode("latin-1") if "body" in case.saw else backend.bodies[before]
    )
    assert [head.startswith(b"GET /canary ") for head in others] == ([] if case.closes else [True])
