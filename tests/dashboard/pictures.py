"""Writes the pictures of docs/dashboard.md: `python -m tests.dashboard.pictures DIRECTORY`."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from tests.dashboard.following import ADMIN, TOKEN, admin_of
from tests.load import Load
from tests.process.conftest import Gates
from tests.server import APPS, Server
from tests.wire import Connection, http_request

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: Seconds of load before the first picture of it.
LOAD_SECONDS = 40.0


def take(page: Page, path: Path, full: bool = False) -> None:
    """One picture, of a size that a repository can bear."""
    page.wait_for_timeout(1500)
    page.screenshot(path=path, full_page=full)
    assert path.stat().st_size < 150 * 1024, f"{path} has {path.stat().st_size} bytes"


def show(page: Page, server: Server, gates: Gates, into: Path) -> None:
    """Goes through the states."""
    page.goto(f"http://localhost:{admin_of(server).port}/-/")
    page.wait_for_selector("#workers tbody tr")
    page.wait_for_timeout(5000)
    take(page, into / "dashboard-calm.png")
    with Load(server.address, connections=3):
        time.sleep(LOAD_SECONDS)
        take(page, into / "dashboard-load.png")
        page.emulate_media(color_scheme="dark")
        take(page, into / "dashboard-dark.png")
        page.emulate_media(color_scheme="light")
        with Connection(server.address) as connection:
            connection.send(http_request(target="/gate?name=stuck"))
            gates.wait_inside("stuck")
            page.wait_for_selector("#running pre:not([hidden])", timeout=30_000)
            page.locator("#running").scroll_into_view_if_needed()
            take(page, into / "dashboard-stuck.png")
            gates.open("stuck")
        page.get_by_label("Admin token").fill(TOKEN)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("button", name="Recycle worker 1").click()
        page.get_by_text("recycled", exact=True).wait_for()
        page.locator("#workers").scroll_into_view_if_needed()
        take(page, into / "dashboard-recycled.png")
        page.set_viewport_size({"width": 360, "height": 740})
        page.evaluate("scrollTo(0, 0)")
        take(page, into / "dashboard-phone.png")


def main(into: Path) -> None:
    """All of them."""
    into.mkdir(parents=True, exist_ok=True)
    found = shutil.which("chromium")
    assert found, "there is no Chromium: apt-get install chromium"
    with ExitStack() as stack:
        gates = Gates(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        env = {**gates.env, "TAPSTER_ADMIN_TOKEN": TOKEN}
        options = ("--workers", "2", "--slow-log", "1s")
        # Stacks show where the application is: nobody's own directory.
        project = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shop-")))
        shutil.copytree(APPS, project, dirs_exist_ok=True)
        start = Server.start("steps:application", *ADMIN, *options, cwd=project, env=env)
        server = stack.enter_context(start)
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 900}, locale="en-GB")
        show(page, server, gates, into)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
