"""examples/flask_shop: three tiers with one command, as its README has it, over HTTP/2."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.front.conftest import pid_of
from tests.server import REPOSITORY, Server, wait_gone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STATIC = "examples/flask_shop/static"
PNG = b"\x89PNG\r\n\x1a\n" + os.urandom(500_000)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The README's command."""
    options = ("--static", f"/static/={STATIC}", "--tls-self-signed", "--workers", "2")
    state = ("--state-dir", str(tmp_path_factory.mktemp("state")))
    pictures = {"SHOP_PICTURES": str(tmp_path_factory.mktemp("pictures"))}
    with Server.start("examples.flask_shop:app", *options, *state, cwd=REPOSITORY, env=pictures) as started:
        yield started


def curl(server: Server, target: str, *arguments: str) -> tuple[str, str]:
    """What curl gets: the answer with its heads, and `status version`."""
    url = f"https://{server.address}{target}"
    command = ["curl", "-sSki", "--http2", "-w", "\n%{http_code} %{http_version}", *arguments, url]
    found = subprocess.run(command, capture_output=True, timeout=60, check=True).stdout
    text, _, last = found.decode("latin-1").rpartition("\n")
    return text, last


def test_a_page_and_its_stylesheet(shop: Server) -> None:
    text, last = curl(shop, "/")
    assert last == "200 2"
    assert '<a href="/product/teapot">Teapot</a> 39.00' in text
    # The browser hears of it before the page is made.
    assert text.startswith("HTTP/2 103")
    assert text.index("link: </static/shop.css>; rel=preload; as=style") < text.index("HTTP/2 200")
    text, last = curl(shop, "/static/shop.css")
    assert last == "200 2"
    assert "content-type: text/css" in text
    assert text.endswith((REPOSITORY / STATIC / "shop.css").read_text())


def test_a_picture_is_uploaded_and_shown(shop: Server, tmp_path: Path) -> None:
    (tmp_path / "cup.png").write_bytes(PNG)
    text, last = curl(shop, "/product/cup", "-F", f"picture=@{tmp_path / 'cup.png'}")
    assert last == "303 2"
    assert "location: /product/cup" in text
    # From whichever worker.
    for _ in range(4):
        text, last = curl(shop, "/product/cup")
        assert '<img src="/pictures/cup.png" alt="Cup">' in text
    text, last = curl(shop, "/pictures/cup.png")
    assert last == "200 2"
    assert text.partition("\r\n\r\n")[2].encode("latin-1") == PNG


@pytest.mark.parametrize(
    ("content", "status"),
    [(PNG * 5, "413"), (b"GIF89a" + bytes(100), "415"), (b"", "415")],
    ids=["too large", "another kind", "empty"],
)
def test_what_is_no_picture_is_refused(shop: Server, tmp_path: Path, content: bytes, status: str) -> None:
    (tmp_path / "file.png").write_bytes(content)
    _, last = curl(shop, "/product/kettle", "-F", f"picture=@{tmp_path / 'file.png'}")
    assert last == f"{status} 2"
    assert "<img" not in curl(shop, "/product/kettle")[0]


def h2load(server: Server, target: str, *arguments: str) -> subprocess.Popen[str]:
    """Load, which goes on until all requests were answered."""
    assert shutil.which("h2load")
    command = ["h2load", *arguments, f"https://{server.address}{target}"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def assert_all_answered(load: subprocess.Popen[str], count: int) -> None:
    said = load.communicate(timeout=300)[0]
    assert re.search(rf"{count} succeeded, 0 failed, 0 errored, 0 timeout", said), said


@pytest.mark.parametrize("target", ["/static/shop.css", "/product/cup"])
@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_hundred_streams_on_a_hundred_connections(shop: Server, target: str) -> None:
    """Ten thousand requests at once."""
    assert_all_answered(h2load(shop, target, "-n", "10000", "-c", "100", "-m", "100"), 10000)


@pytest.mark.long
@pytest.mark.timeout(400)
def test_reloads_under_load_fail_nothing(shop: Server) -> None:
    load = h2load(shop, "/product/cup", "-n", "5000", "-c", "20", "-m", "20")
    reloads = 0
    while load.poll() is None and reloads < 3:
        before = pid_of(shop, "tapster-w")
        shop.send(signal.SIGHUP)
        wait_gone(before, 60)
        reloads += 1
    assert_all_answered(load, 5000)
    assert reloads >= 1
