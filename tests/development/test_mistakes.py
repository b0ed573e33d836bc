"""A broken save: shown in the terminal and in the browser of this machine, and over with the next save."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.development.conftest import STANDS_IN
from tests.development.test_saves import until_answered
from tests.server import Server, run

if TYPE_CHECKING:
    from tests.development.conftest import Site

#: A file's content, and what is said of it, in the terminal and in the browser.
BROKEN = {
    "syntax": ("def app(:\n", "app.py, line 1 is not valid Python"),
    "raises": ("raise RuntimeError('planned')\n", "RuntimeError: planned"),
    "module": ("import no_such_module_planned\n", "No module named 'no_such_module_planned'"),
    "no-app": ("other = 1\n", "app"),
    "exits": ("import sys\nsys.exit('planned')\n", "called sys.exit"),
    "hard-exit": ("import os\nos._exit(3)\n", "exited with code 3 while it loaded the application"),
    "crash": ("import os\nos.kill(os.getpid(), 11)\n", "while it loaded the application"),
    "runs-itself": (
        "from wsgiref.simple_server import make_server\nmake_server('', 0, None).serve_forever()\n",
        "starts",
    ),
}


@pytest.mark.parametrize(("content", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_save_is_shown_and_mended(site: Site, content: str, message: str) -> None:
    site.start("app:app")
    site.running.allow("SyntaxError|no_such_module_planned|SystemExit")
    mark = site.mark()
    site.put("app.py", content)
    site.wait_for(STANDS_IN, mark)
    # The worker's own line may come after the supervisor's.
    site.wait_for(re.escape(message), mark)
    answer = site.get()
    assert answer.status == 500
    assert message in answer.body.decode()
    site.write("mended")
    until_answered(site, "mended")


@pytest.mark.parametrize("name", ["syntax", "crash"])
def test_a_start_with_a_mistake_is_no_end(site: Site, name: str) -> None:
    content, message = BROKEN[name]
    site.put("app.py", content)
    site.start("app:app", wait_for=STANDS_IN)
    assert message in site.get().body.decode()
    site.write("mended")
    until_answered(site, "mended")
    assert site.running.stop() == 0


def test_a_file_that_is_deleted_and_comes_back(site: Site) -> None:
    site.start("app:app")
    mark = site.mark()
    (site.directory / "app.py").rename(site.directory / "app.old")
    site.wait_for("app.py changed: reloading", mark)
    site.wait_for(STANDS_IN, mark)
    assert "app" in site.get().body.decode()
    (site.directory / "app.old").rename(site.directory / "app.py")
    until_answered(site, "one")


def test_a_directory_that_is_deleted_and_comes_back(site: Site) -> None:
    site.put("app.py", "from package.inner import app\n")
    site.write("one", name="package/inner.py")
    site.start("app:app")
    site.running.allow("ModuleNotFoundError")
    mark = site.mark()
    shutil.rmtree(site.directory / "package")
    site.wait_for(STANDS_IN, mark)
    site.write("two", name="package/inner.py")
    until_answered(site, "two")


def test_a_missing_module_that_is_made(site: Site) -> None:
    """No file of that name could be known."""
    site.put("app.py", "from deep.settings import app\n")
    site.start("app:app", wait_for=STANDS_IN)
    site.running.allow("ModuleNotFoundError")
    site.put("deep/other.py", "")
    site.write("made", name="deep/settings.py")
    until_answered(site, "made")


def test_an_empty_directory_to_begin_with(site: Site) -> None:
    (site.directory / "app.py").unlink()
    site.start(wait_for=STANDS_IN)
    assert "app.py" in site.get().body.decode()
    site.write("first")
    until_answered(site, "first")


def test_an_import_that_hangs_does_not_hold_up_the_next_save(site: Site) -> None:
    site.start("app:app")
    mark = site.mark()
    site.put("app.py", "import time\nprint('hanging', flush=True)\ntime.sleep(600)\n")
    site.wait_for("hanging", mark)
    site.write("back")
    until_answered(site, "back")


def test_the_page_for_a_browser_has_nothing_unescaped(site: Site) -> None:
    site.put("app.py", "raise RuntimeError('planned <script>alert(1)</script> & more')\n")
    site.start("app:app", wait_for=STANDS_IN)
    page = site.get(Accept="text/html,*/*;q=0.8")
    assert page.get("Content-Type") == "text/html; charset=utf-8"
    assert page.get("Cache-Control") == "no-store"
    text = page.body.decode()
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in text
    assert "app.py&quot;, line 1" in text


@pytest.mark.parametrize(
    "fields",
    [
        {"Host": "rebound.example"},
        {"X_Forwarded_For": "203.0.113.9"},
        {"X_Forwarded_For": "127.0.0.1, 203.0.113.9"},
        {"X_Real_IP": "203.0.113.9"},
        {"Forwarded": "for=127.0.0.1"},
        {"Via": "1.1 tunnel"},
    ],
    ids=lambda fields: "-".join(fields),
)
def test_others_are_not_told_why(site: Site, fields: dict[str, str]) -> None:
    site.put("app.py", "raise RuntimeError('planned secret')\n")
    site.start("app:app", wait_for=STANDS_IN)
    answer = site.get(Accept="text/html", **fields)
    assert answer.status == 500
    assert "secret" not in answer.body.decode()
    assert "server's log" in answer.body.decode()
    names = {"Host": "my.site.localhost:8000"}, {"Host": "[::1]:8000"}, {"X_Forwarded_For": "::1"}
    assert all("secret" in site.get(**name).body.decode() for name in names)


def test_without_reload_a_first_start_that_fails_ends(site: Site) -> None:
    site.put("app.py", "raise RuntimeError('planned')\n")
    assert run("app:app", "--bind", "127.0.0.1:0", cwd=site.directory).returncode == 3


def test_a_pattern_that_cannot_be_read_is_told(site: Site) -> None:
    ended = run("--reload", "--reload-include", "a[b", "--bind", "127.0.0.1:0", cwd=site.directory)
    assert ended.returncode != 0
    assert "--reload-include" in ended.stderr
    assert "a[b" in ended.stderr


def test_options_that_have_no_effect_are_told(site: Site) -> None:
    words = ["--reload-include", "*.html", "--reload-exclude", "x", "--reload-poll"]
    with Server.start("app:app", *words, cwd=site.directory) as server:
        for word in ("include", "exclude", "poll"):
            assert server.log.find(f"--reload-{word} has no effect without --reload")
        assert server.log.find("reload with `kill -HUP")
    site.start("app:app", "--preload", *words)
    site.wait_for("--preload has no effect with --reload")
    site.write("two")
    until_answered(site, "two")
    assert not site.running.log.find("no effect without|kill -HUP")
    assert site.running.log.find("every save reloads")


def test_nothing_of_it_is_in_a_server_without_reload(site: Site) -> None:
    """One worker and nothing else."""
    with Server.start("app:app", cwd=site.directory) as server:
        assert len(server.worker_pids()) == 1
        assert server.log.find("watching") == []
