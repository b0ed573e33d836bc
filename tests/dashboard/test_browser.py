"""The dashboard in a browser, over real servers: what it shows, what it does, and who can use it."""

from __future__ import annotations

import importlib
import re
import signal
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.dashboard.following import ADMIN, TOKEN
from tests.load import Load
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.conftest import Serve
    from tests.dashboard.conftest import Visit
    from tests.process.conftest import Gates

WITH_TOKEN = {"TAPSTER_ADMIN_TOKEN": TOKEN}
#: Milliseconds; the machine may be busy.
PATIENCE = 20_000


def chart(page: Page, title: str) -> Locator:
    """One of the charts."""
    return page.locator("figure.chart").filter(has=page.get_by_text(title, exact=True))


def sign_in(page: Page, token: str = TOKEN) -> None:
    """Writes the token as a person does."""
    page.get_by_label("Admin token").fill(token)
    page.get_by_role("button", name="Sign in").click()


def test_charts_move_under_load(serve: Serve, visit: Visit) -> None:
    server = serve("steps:application", *ADMIN, "--workers", "2")
    page = visit(server)
    drawn = chart(page, "Throughput").locator("path.line")
    expect(drawn).to_have_attribute("d", re.compile("^M"), timeout=PATIENCE)
    before = drawn.get_attribute("d")
    with Load(server.address, connections=2):
        picture = page.get_by_role("img", name=re.compile(r"Throughput.*Now: answers [\d.,]*[1-9][\d.,]*."))
        expect(picture).to_be_visible(timeout=PATIENCE)
        expect(chart(page, "Latency").locator("path.line").first).to_have_attribute("d", re.compile("^M"))
        expect(page.locator("#workers tbody tr")).to_have_count(2)
    assert drawn.get_attribute("d") != before
    page.get_by_text("The charts as a table").click()
    expect(page.locator("#numbers tbody tr").first).to_contain_text("ms")


def test_a_stuck_request_shows_its_stack(serve: Serve, visit: Visit, gates: Gates) -> None:
    server = serve("steps:application", *ADMIN, "--slow-log", "1s", env=gates.env)
    page = visit(server)
    with Connection(server.address) as connection:
        connection.send(http_request(target="/gate?name=stuck"))
        gates.wait_inside("stuck")
        row = page.locator("#running tbody tr").filter(has_text="GET /gate")
        expect(row).to_be_visible(timeout=PATIENCE)
        page.get_by_role("button", name="Show all stacks").click()
        expect(row.locator("pre")).to_contain_text("steps.py", timeout=PATIENCE)
        expect(page.get_by_label("Stacks of all threads")).to_contain_text("worker 1 (pid")
        expect(page.locator("#slow tbody tr")).to_contain_text("in gate", timeout=PATIENCE)
        gates.open("stuck")
        assert connection.read_response().status == 200
    expect(row).to_have_count(0, timeout=PATIENCE)
    expect(page.locator("#running .empty")).to_be_visible()


def test_a_worker_is_recycled_with_the_token_and_not_without(serve: Serve, visit: Visit) -> None:
    server = serve("plain:application", *ADMIN, "--workers", "2", env=WITH_TOKEN)
    page = visit(server)
    expect(page.locator("#workers tbody tr")).to_have_count(2, timeout=PATIENCE)
    expect(page.get_by_role("button", name="Recycle")).to_have_count(0)
    sign_in(page, "this-is-not-the-token")
    expect(page.locator("#outcome")).to_contain_text("not the token", timeout=PATIENCE)
    expect(page.get_by_role("button", name="Reload")).to_be_hidden()
    sign_in(page)
    before = server.worker_pids()
    page.get_by_role("button", name="Recycle worker 1").click(timeout=PATIENCE)
    expect(page.locator("#outcome")).to_contain_text("is being replaced", timeout=PATIENCE)
    expect(page.locator("#restarts tbody")).to_contain_text("recycled", timeout=PATIENCE)
    expect(page.locator("#workers")).not_to_contain_text(str(min(before)), timeout=PATIENCE)
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name="Reload").click()
    expect(page.locator("#reloads tbody tr")).to_contain_text("done", timeout=PATIENCE)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Recycle")).to_have_count(0)
    assert page.evaluate("sessionStorage.length") == 0


def test_without_a_token_it_only_shows(serve: Serve, visit: Visit) -> None:
    server = serve("misbehaves:application", *ADMIN)
    server.allow("planned")
    page = visit(server)
    expect(page.get_by_text("Read-only")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_label("Admin token")).to_be_hidden()
    target = "/raise?kind=Control&where=call"
    assert exchange(server.address, http_request(target=target)).status == 500
    message = page.locator("#messages tbody tr").filter(has_text="GET /raise failed")
    expect(message).to_be_visible(timeout=PATIENCE)
    message.get_by_text("Stack", exact=True).click()
    expect(message.locator("pre")).to_contain_text("ControlError")
    expect(page.locator("#configuration tbody tr").filter(has_text="admin-bind")).to_contain_text(
        "command line"
    )
    page.get_by_label("Filter").fill("request-timeout")
    expect(page.locator("#configuration .empty")).to_be_visible()
    page.get_by_label("Show defaults").check()
    expect(page.locator("#configuration tbody tr").first).to_contain_text("request-timeout")


def test_it_says_when_the_server_is_gone_and_finds_the_next(serve: Serve, visit: Visit) -> None:
    server = serve("plain:application", *ADMIN)
    page = visit(server)
    # Who has not seen the one cannot tell it from the other.
    expect(page.locator("#identity")).to_contain_text(f"pid {server.pid}", timeout=PATIENCE)
    server.send(signal.SIGUSR2)
    expect(page.locator("#announcement")).to_contain_text("Another server has taken over", timeout=PATIENCE)
    expect(page.locator("#connection")).to_have_text("live")
    server.close()
    expect(page.locator("#connection")).to_have_text("reconnecting", timeout=PATIENCE)
    expect(page.locator("#notice")).to_contain_text("tries again by itself")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_people_can_use_it(serve: Serve, visit: Visit, dark: bool) -> None:
    """What axe-core looks for, on a phone and on a large screen, in both colours."""
    # Without types of its own.
    axe: Any = importlib.import_module("axe_playwright_python.sync_playwright").Axe()

    server = serve("misbehaves:application", *ADMIN, env=WITH_TOKEN)
    server.allow("planned")
    exchange(server.address, http_request(target="/raise?kind=MemoryError&where=call"))
    page = visit(server, width=360, dark=dark)
    expect(page.locator("#workers tbody tr")).to_have_count(1, timeout=PATIENCE)
    expect(page.locator("#messages tbody tr")).not_to_have_count(0)
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = axe.run(page)
        assert found.violations_count == 0, found.generate_report()
    ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    brightness = sum(int(part) for part in re.findall(r"\d+", ground)[:3])
    assert (brightness < 200) == dark


def test_the_keyboard_is_enough(serve: Serve, visit: Visit) -> None:
    server = serve("plain:application", *ADMIN, env=WITH_TOKEN)
    page = visit(server)
    expect(page.get_by_label("Admin token")).to_be_visible(timeout=PATIENCE)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the charts")).to_be_focused()
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Admin token")).to_be_focused()
    page.keyboard.type(TOKEN)
    page.keyboard.press("Enter")
    reload = page.get_by_role("button", name="Reload")
    expect(reload).to_be_focused(timeout=PATIENCE)
    page.keyboard.press("Enter")
    expect(page.locator("#outcome")).to_contain_text("Reloaded in", timeout=PATIENCE)
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "filter":
            break
    expect(page.get_by_label("Filter")).to_be_focused()


def test_motion_is_spared_and_landmarks_are_there(serve: Serve, visit: Visit) -> None:
    page = visit(serve("plain:application", *ADMIN))
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    for role in ("banner", "main", "navigation", "contentinfo"):
        expect(page.get_by_role(role)).to_have_count(1)
    for title in ("Workers", "Requests that run now", "Errors and warnings", "Configuration"):
        expect(page.get_by_role("heading", name=title)).to_be_visible()
    expect(page.get_by_role("columnheader", name="Memory")).to_be_visible(timeout=PATIENCE)
