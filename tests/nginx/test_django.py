"""Django behind nginx: log-in, a form, a 10 MiB upload byte for byte, with a length and in chunks."""

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

    from tests.nginx.front import Nginx

MIB = 1 << 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """examples/django, as examples/behind-nginx starts it."""
    directory = tmp_path_factory.mktemp("django")
    env = django_project.prepare(directory)
    words = ["mysite.wsgi", "--workers", "2", "--bind", "127.0.0.1:0", "--bind", f"unix:{directory}/s"]
    with Server.start(*words, cwd=django_project.PROJECT, env=env) as started:
        yield started


@pytest.fixture(params=["http", "https"])
def browser(request: pytest.FixtureRequest, nginx: Nginx) -> Browser:
    """Over TLS Django is strict about where a form comes from: it must be told the scheme."""
    if request.param == "http":
        return Browser(nginx.address, host=f"localhost:{nginx.address.port}")
    host = f"localhost:{nginx.tls.port}"
    return Browser(nginx.tls, host=host, fields={"Origin": f"https://{host}"})


def test_log_in(browser: Browser) -> None:
    django_project.log_in(browser)


def test_a_form(browser: Browser) -> None:
    browser.get("/")
    text = f"text {os.urandom(4).hex()}"
    assert text in text_of(browser.post("/", {"name": "Ada", "text": text}))


@pytest.mark.parametrize("in_chunks", [False, True], ids=["length", "chunks"])
def test_ten_mebibytes_byte_for_byte(browser: Browser, in_chunks: bool) -> None:
    browser.get("/")
    content = os.urandom(10 * MIB)
    response = browser.upload("/upload/", "blob.bin", content, in_chunks)
    assert response.status == 200, response.body[:300]
    told = {"name": "blob.bin", "size": 10 * MIB, "sha256": hashlib.sha256(content).hexdigest()}
    assert json.loads(response.body) == told
