"""examples/wsgi-forms: a function, an instance, a class to be called and a class to be iterated give the same page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.server import REPOSITORY
from tests.transport import NAMES, Transport

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve
    from tests.wire import Response

EXAMPLE = REPOSITORY / "examples" / "wsgi-forms"
FORMS = [
    "function",
    "function:application",
    "function.py",
    "callable_class:application",
    "callable_class:Application",
    "iterating_class:Application",
    "iterating_class.py:application",
]


def page(response: Response) -> str:
    """The page without what differs between two servers or two connections."""
    assert response.status == 200
    assert response.get("Content-Type") == "text/html; charset=utf-8"
    return re.sub(
        r"<tr><th>(REMOTE_PORT|SERVER_PORT|HTTP_HOST)</th><td>[^<]*</td></tr>\n", "", response.body.decode()
    )


def test_the_same_page_from_all(serve: Serve, tmp_path: Path) -> None:
    pages: dict[str, set[str]] = {name: set() for name in NAMES}
    for number, form in enumerate(FORMS):
        server = serve(form, "--bind", "127.0.0.1:0", "--bind", f"unix:{tmp_path}/{number}", cwd=EXAMPLE)
        for name in NAMES:
            # The path of the unix socket may be in the page, as SERVER_NAME or the like.
            text = page(Transport.of(server, name).request("/some/path?name=value"))
            pages[name].add(text.replace(f"{tmp_path}/{number}", "SOCKET"))
        server.close()
    for name, found in pages.items():
        assert len(found) == 1, name
        assert "<tr><th>PATH_INFO</th><td>/some/path</td></tr>" in found.pop()


@pytest.mark.parametrize("form", ["function", "callable_class:Application", "iterating_class"])
def test_a_client_cannot_write_into_the_page(serve: Serve, form: str) -> None:
    server = serve(form, cwd=EXAMPLE)
    response = Transport("http-tcp", server.address).request("/", fields={"X-Evil": "<script>"})
    assert "&lt;script&gt;" in page(response)
