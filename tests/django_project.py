"""examples/django with a database of its own: what the tests of Django need before a server starts."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tests.browser import Browser, text_of
from tests.server import REPOSITORY, environment

if TYPE_CHECKING:
    from pathlib import Path

PROJECT = REPOSITORY / "examples" / "django"
USER, PASSWORD = "ada", "correct horse"


def prepare(directory: Path) -> dict[str, str]:
    """Creates the database with one administrator; the variables that make the project use it."""
    env = {
        "DJANGO_DATABASE": str(directory / "db.sqlite3"),
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
        "DJANGO_ALLOWED_HOSTS": "test.example",
    }
    _manage(env, "migrate", "--verbosity", "0")
    _manage(env, "createsuperuser", "--noinput", "--username", USER, "--email", "ada@test.example")
    return env


def log_in(browser: Browser) -> None:
    """Goes through the admin's log-in page, as a person would."""
    page = browser.get("/admin/")
    assert page.status == 200
    assert "csrfmiddlewaretoken" in text_of(page)
    assert "sessionid" not in browser.cookies
    refused = browser.post("/admin/login/?next=/admin/", {"username": USER, "password": "wrong"})
    assert "Please enter the correct" in text_of(refused)
    home = browser.post("/admin/login/?next=/admin/", {"username": USER, "password": PASSWORD})
    assert home.status == 200
    assert "sessionid" in browser.cookies
    assert "Site administration" in text_of(home)


def _manage(env: dict[str, str], *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=PROJECT, env=environment(env), check=True, timeout=60
    )
