"""A save is served: the request after it is answered by the new code, whatever is saved and however."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.wire import Connection, http_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.development.conftest import Site

FLASK = """
from flask import Flask, render_template

app = Flask(__name__)


@app.get("/")
def index():
    return render_template("page.html", name="{name}")
"""


def test_a_flask_application_and_its_template(site: Site) -> None:
    site.put("app.py", FLASK.format(name="one"))
    site.put("templates/page.html", "Good morning, {% include 'name.html' %}.")
    site.put("templates/name.html", "{{ name }}")
    server = site.start("--reload-include", "*.html")
    assert site.text() == "Good morning, one."
    for name, content, expected in [
        ("app.py", FLASK.format(name="two"), "Good morning, two."),
        ("templates/page.html", "Good evening, {% include 'name.html' %}.", "Good evening, two."),
        ("templates/name.html", "{{ name | upper }}", "Good evening, TWO."),
    ]:
        mark = site.mark()
        site.put(name, content)
        site.wait_for(rf"\] {name} changed: reloading", mark)
        assert site.text() == expected
    # Installed packages are watched too: somebody may look for an error there.
    [line] = server.log.find("watching")
    assert "watching 3 files below" in line
    assert "elsewhere" in line
    # Requests are logged, though nothing is a terminal here.
    site.wait_for(r'"GET / HTTP/1\.1" 200 ')


def test_no_answer_is_old(site: Site) -> None:
    """From the line in the log on, on a new connection, on one that is kept, and on one that was opened before."""
    site.start()
    kept = Connection(site.running.address, timeout=30.0)
    kept.send(http_request())
    assert kept.read_response().body == b"one"
    for number in range(12):
        before = Connection(site.running.address, timeout=30.0)
        mark = site.mark()
        site.write(f"save {number}")
        site.wait_for("changed: reloading", mark)
        for connection in (kept, before, Connection(site.running.address, timeout=30.0)):
            connection.send(http_request())
            assert connection.read_response().body == f"save {number}".encode()


def test_two_saves_at_once(site: Site) -> None:
    """Of the same length, within 10 ms: the second is served, also when the first was compiled already."""
    site.write("a0000")
    site.start(env={"PYTHONDONTWRITEBYTECODE": ""})
    for number in range(1, 6):
        mark = site.mark()
        site.write(f"a000{number}")
        if number % 2:
            site.wait_for("reloaded in", mark)
        else:
            time.sleep(0.005)
        site.write(f"b000{number}")
        until_answered(site, f"b000{number}")


def test_a_save_by_renaming(site: Site) -> None:
    site.start()
    mark = site.mark()
    site.write("two", name="app.py.tmp")
    (site.directory / "app.py.tmp").rename(site.directory / "app.py")
    site.wait_for("app.py changed: reloading", mark)
    assert site.text() == "two"


def test_what_editors_leave_is_no_change(site: Site) -> None:
    site.put("templates/page.html", "")
    site.start("--reload-include", "*.html", "--reload-include", "*.py")
    mark = site.mark()
    for name in (".app.py.swp", "app.py~", "4913", "#app.py#", "app.py.bak", "templates/.page.html.swx"):
        site.put(name, "")
        (site.directory / name).unlink()
    (site.directory / ".#app.py").symlink_to("me@host:1")
    (site.directory / "__pycache__").mkdir()
    site.put("__pycache__/other.py", "")
    site.put("notes.txt", "")
    time.sleep(0.3)
    site.write("two")
    site.wait_for("reloaded in", mark)
    assert len(site.running.log.find("app.py changed: reloading", mark)) == 1
    assert len(site.running.log.find("changed", mark)) == 1


def test_a_checkout_of_many_files_is_one_change(site: Site) -> None:
    names = [f"part{number}" for number in range(500)]
    imports = "\n".join(f"import parts.{name}" for name in names)

    def write_all(value: str) -> None:
        for name in names:
            site.put(f"parts/{name}.py", f"VALUE = {value!r}\n")
        site.write(value, before=imports)

    def git(*words: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=me", "-c", "user.email=me@localhost", *words],
            cwd=site.directory,
            check=True,
            capture_output=True,
        )

    write_all("one")
    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message", "one")
    git("checkout", "--quiet", "-b", "other")
    write_all("two")
    git("commit", "--quiet", "--all", "--message", "two")
    site.start()
    assert site.text() == "two"
    mark = site.mark()
    git("checkout", "--quiet", "-")
    until_answered(site, "one")
    site.wait_for("app.py and 500 other files changed: reloading", mark)
    assert len(site.running.log.find("changed: reloading", mark)) == 1


def test_a_module_that_a_request_imports(site: Site) -> None:
    lazy = (
        "def app(environ, start_response):\n    import lazy\n    return lazy.app(environ, start_response)\n"
    )
    site.put("app.py", lazy)
    site.write("one", name="lazy.py")
    site.start()
    assert site.text() == "one"
    mark = site.mark()
    # At once, and again when it has been seen that the file belongs to the application.
    for text in ("two", "three"):
        site.write(text, name="lazy.py")
        site.wait_for("lazy.py changed: reloading", mark)
        assert site.text() == text
        mark = site.mark()


@pytest.mark.parametrize("how", ["directory", "file", "inside"])
def test_links(site: Site, tmp_path: Path, how: str) -> None:
    """A project, or a file of one, that is really elsewhere."""
    real = tmp_path / "real"
    if how == "directory":
        site.directory.rename(real)
        site.directory.symlink_to(real)
    elif how == "file":
        (site.directory / "app.py").rename(tmp_path / "app-of-site.py")
        (site.directory / "app.py").symlink_to(tmp_path / "app-of-site.py")
        real = tmp_path
    else:
        site.put("app.py", "from package.inner import app\n")
        site.write("one", name="package/inner.py")
        (site.directory / "package").rename(real)
        (site.directory / "package").symlink_to(real)
    # The shell's directory has the name that was typed.
    site.start(env={"PWD": str(site.directory)})
    name = {"directory": "app.py", "file": "app-of-site.py", "inside": "inner.py"}[how]
    (real / name).write_text((real / name).read_text().replace("one", "two"))
    until_answered(site, "two")


def test_a_link_that_is_switched_to_another_release(site: Site, tmp_path: Path) -> None:
    for release in ("first", "second"):
        site.write(release, name=f"{release}/app.py")
    current = site.directory / "current"
    current.symlink_to("first")
    site.start("--chdir", "current")
    assert site.text() == "first"
    (site.directory / "next").symlink_to("second")
    (site.directory / "next").rename(current)
    until_answered(site, "second")


def test_patterns(site: Site, tmp_path: Path) -> None:
    site.put("app.py", "from own.settings import text\nimport generated\n" + READING)
    site.put("own/settings.py", "text = open('conf/site.toml').read()\n")
    site.put("conf/site.toml", "one")
    site.put("generated.py", "")
    site.start("--reload-include", "conf/*.toml", "--reload-exclude", "generated.py")
    mark = site.mark()
    site.put("generated.py", "VALUE = 2\n")
    site.put("conf/other.cfg", "")
    time.sleep(0.2)
    site.put("conf/site.toml", "two")
    until_answered(site, "two")
    site.put("conf/new.toml", "")
    site.wait_for("conf/new.toml changed", mark)
    (site.directory / "conf/new.toml").unlink()
    site.wait_for("conf/new.toml changed", site.mark() - 1)
    assert site.running.log.find("generated|other.cfg", mark) == []


def test_polling(site: Site) -> None:
    site.put("templates/page.html", "")
    server = site.start("--reload-poll", "--reload-include", "*.html")
    site.wait_for("looking at files every 500 ms: --reload-poll")
    for name in ("app.py", "templates/page.html", "templates/new.html"):
        mark = site.mark()
        if name == "app.py":
            site.write("two")
        else:
            site.put(name, "more")
        site.wait_for(f"{name} changed: reloading", mark)
        assert site.text() == "two"
    assert server.log.find("inotify") == []


READING = """
def app(environ, start_response):
    start_response("200 OK", [])
    return [text.encode()]
"""


def until_answered(site: Site, text: str, timeout: float = 30.0) -> None:
    """Until requests are answered by what was saved last."""
    deadline = time.monotonic() + timeout
    while (found := site.text()) != text:
        assert time.monotonic() < deadline, f"answered with {found!r} and never with {text!r}"
        time.sleep(0.01)
