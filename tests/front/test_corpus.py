"""The corpus of malformed, ambiguous and odd requests, sent through the front: it refuses what workers refuse, in the same
words, and the application sees of the others what it sees without a front. The tests are those of tests/http.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.http.test_strictness import (
    test_a_head_that_ends_early_is_logged,
    test_a_tls_hello_is_named,
    test_accepted,
    test_refused,
    test_what_came_before_a_refused_request_is_answered,
)
from tests.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "test_a_head_that_ends_early_is_logged",
    "test_a_tls_hello_is_named",
    "test_accepted",
    "test_refused",
    "test_what_came_before_a_refused_request_is_answered",
]


@pytest.fixture(scope="module")
def server(site: Path) -> Iterator[Server]:
    """Serves an application that remembers what it saw, behind a front."""
    options = ("--threads", "4", "--static", f"/static/={site}/public", "--http2", "off")
    with Server.start("witness:application", *options) as started:
        yield started
