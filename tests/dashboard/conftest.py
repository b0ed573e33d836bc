"""A browser for the tests of the dashboard. One that is missing fails them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Protocol

import pytest
from playwright.sync_api import sync_playwright

from tests.dashboard.following import admin_of
from tests.process.conftest import gates, project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

    from tests.server import Server

__all__ = ["gates", "project"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser, without a window."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert found, "there is no Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


class Visit(Protocol):
    """Opens the dashboard of a server."""

    def __call__(self, server: Server, *, width: int = 1280, dark: bool = False) -> Page: ...


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Visit]:
    """A function that opens a dashboard. At the end there were no complaints, and nobody else was asked for anything."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_page(server: Server, *, width: int = 1280, dark: bool = False) -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", locale="en-GB"
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        origin = f"http://localhost:{admin_of(server).port}/-/"
        page.on("pageerror", lambda error: complaints.append(f"error in the page: {error}"))
        page.on(
            "console",
            lambda said: complaints.append(f"console: {said.text}") if said.type == "error" else None,
        )
        page.on(
            "request",
            lambda asked: (
                None if asked.url.startswith(origin) else complaints.append(f"asked for {asked.url}")
            ),
        )
        page.goto(origin)
        page.wait_for_selector("#connection.good")
        return page

    yield open_page
    for context in contexts:
        context.close()
    # Refused orders and servers that are gone are shown in the console by the browser itself.
    expected = (
        "401",
        "403",
        "ERR_CONNECTION_REFUSED",
        "ERR_INCOMPLETE_CHUNKED",
        "ERR_EMPTY_RESPONSE",
        "ERR_CONNECTION_RESET",
    )
    unexpected = [text for text in complaints if not any(word in text for word in expected)]
    assert not unexpected, "\n".join(unexpected)
