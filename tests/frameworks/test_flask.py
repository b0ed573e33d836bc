"""examples/flask, with a real Flask."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.browser import Browser, text_of
from tests.server import REPOSITORY, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLE = REPOSITORY / "examples" / "flask"


@pytest.fixture(scope="module", params=["lazy", "preload"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The one Flask instance of app.py, found without being named."""
    options = ["--preload"] if request.param == "preload" else []
    path = tmp_path_factory.mktemp("run") / "s"
    words = ["app.py", "--bind", "127.0.0.1:0", "--bind", f"unix:{path}", "--workers", "2"]
    with Server.start(*words, *options, cwd=EXAMPLE) as started:
        yield started


@pytest.fixture(params=["tcp", "unix"])
def browser(request: pytest.FixtureRequest, server: Server) -> Browser:
    """A client of each address."""
    return Browser(server.unix if request.param == "unix" else server.address)


def test_a_page(browser: Browser) -> None:
    assert "<h1>Hello from Flask</h1>" in text_of(browser.get("/"))


def test_a_form(browser: Browser) -> None:
    assert "Hello, Ada &lt;3" in text_of(browser.post("/greet", {"name": "Ada <3"}))
    assert browser.post("/greet", {}).status == 400


def test_json(browser: Browser) -> None:
    response = browser.post_json("/api/echo", '{"caf\u00e9": [1, 2, null]}')
    assert json.loads(response.body) == {"received": {"caf\u00e9": [1, 2, None]}}
    assert browser.post_json("/api/echo", "{broken").status == 400


@pytest.mark.parametrize("in_chunks", [False, True])
@pytest.mark.parametrize("size", [0, 1000, 5_000_000])
def test_an_upload(browser: Browser, size: int, in_chunks: bool) -> None:
    content = os.urandom(size)
    response = browser.upload("/upload", "blob.bin", content, in_chunks)
    assert response.status == 200
    told = {"name": "blob.bin", "size": size, "sha256": hashlib.sha256(content).hexdigest()}
    assert json.loads(response.body) == told


def test_an_upload_beyond_the_applications_own_limit(browser: Browser) -> None:
    assert browser.upload("/upload", "big", bytes(65 * 1024 * 1024)).status == 413


def test_what_flask_knows(browser: Browser) -> None:
    about = json.loads(browser.get("/api/about").body)
    assert about["multithread"] is True
    assert about["multiprocess"] is True
    assert about["url"] == "http://localhost/api/about"


def test_not_found_and_wrong_method(browser: Browser) -> None:
    assert browser.get("/nowhere").status == 404
    assert browser.get("/upload").status == 405
