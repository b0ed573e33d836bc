"""examples/django, with a real Django: log-in, a form with CSRF protection, an upload."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING

import pytest

from tests import django_project
from tests.browser import Browser, text_of
from tests.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module", params=["lazy", "preload", "refork"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two workers, so that the session is not in one process's memory."""
    options = {"lazy": [], "preload": ["--preload"], "refork": ["--preload", "--refork-after", "3"]}
    directory = tmp_path_factory.mktemp("django")
    env = django_project.prepare(directory)
    words = ["mysite.wsgi", "--workers", "2", "--bind", "127.0.0.1:0", "--bind", f"unix:{directory}/s"]
    with Server.start(*words, *options[request.param], cwd=django_project.PROJECT, env=env) as started:
        if request.param == "refork":
            for _ in range(8):
                assert Browser(started.address).get("/").status == 200
            started.log.wait_for("all workers are forks of the new template")
        yield started


@pytest.fixture(params=["tcp", "unix"])
def browser(request: pytest.FixtureRequest, server: Server) -> Browser:
    """A client of each address."""
    return Browser(server.unix if request.param == "unix" else server.address)


def test_log_in(browser: Browser) -> None:
    django_project.log_in(browser)


def test_a_form_with_csrf_protection(browser: Browser) -> None:
    browser.get("/")
    text = f"text {os.urandom(4).hex()} & more"
    page = browser.post("/", {"name": "Ada", "text": text})
    assert page.status == 200
    assert text.replace("&", "&amp;") in text_of(page)


def test_a_form_without_its_token_is_refused(browser: Browser) -> None:
    assert browser.post("/", {"name": "Ada", "text": "forged"}).status == 403


@pytest.mark.parametrize("in_chunks", [False, True])
@pytest.mark.parametrize("size", [0, 1000, 6_000_000])
def test_an_upload(browser: Browser, size: int, in_chunks: bool) -> None:
    browser.get("/")
    content = os.urandom(size)
    response = browser.upload("/upload/", "blob.bin", content, in_chunks)
    assert response.status == 200, response.body[:500]
    told = {"name": "blob.bin", "size": size, "sha256": hashlib.sha256(content).hexdigest()}
    assert json.loads(response.body) == told


def test_the_scheme_of_a_proxy_is_believed(server: Server) -> None:
    """Django refuses a form over https whose Referer or Origin says http: it must know which it is."""
    browser = Browser(server.address, fields={"X-Forwarded-Proto": "https", "Origin": "https://localhost"})
    browser.get("/")
    assert browser.post("/", {"name": "Ada", "text": "over https"}).status == 200
    refused = Browser(server.address, fields={"X-Forwarded-Proto": "https", "Origin": "http://localhost"})
    refused.get("/")
    assert refused.post("/", {"name": "Eve", "text": "from elsewhere"}).status == 403
