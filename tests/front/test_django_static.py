"""`--django-static`: the files of a Django project, found by what its settings say."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.front.conftest import put
from tests.server import Server, run
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = """
from pathlib import Path
print("settings are loaded")
SECRET_KEY = "x"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "urls"
BASE_DIR = Path(__file__).resolve().parent
"""
WSGI = """
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project_settings")
from django.core.wsgi import get_wsgi_application
application = get_wsgi_application()
"""
URLS = "urlpatterns = []\n"


def project(directory: Path, settings: str, content: bytes = b"collected") -> Path:
    """A project of one directory, with one static file."""
    put(directory / "project_settings.py", (SETTINGS + settings).encode())
    put(directory / "wsgi.py", WSGI.encode())
    put(directory / "urls.py", URLS.encode())
    put(directory / "collected" / "a.css", content)
    return directory


def get(server: Server, target: str) -> tuple[int, bytes]:
    found = exchange(server.address, http_request("GET", target))
    return found.status, found.body


@pytest.mark.parametrize("env", [{}, {"DJANGO_SETTINGS_MODULE": "project_settings"}], ids=["wsgi", "env"])
def test_a_project_says_where_its_files_are(tmp_path: Path, env: dict[str, str]) -> None:
    root = project(tmp_path, "STATIC_URL = 'assets/'\nSTATIC_ROOT = BASE_DIR / 'collected'\n")
    with Server.start("wsgi:application", "--django-static", cwd=root, env=env) as server:
        assert get(server, "/assets/a.css") == (200, b"collected")
        assert get(server, "/assets/missing.css")[0] == 404
        assert get(server, "/project_settings.py")[0] == 404


def test_a_link_to_the_next_release_is_followed(tmp_path: Path) -> None:
    settings = "STATIC_URL = '/static/'\nSTATIC_ROOT = BASE_DIR / 'collected'\n"
    first = project(tmp_path / "1", settings, b"first")
    second = project(tmp_path / "2", settings, b"second")
    current = tmp_path / "current"
    current.symlink_to(first)
    env = {"PWD": str(current)}
    with Server.start("wsgi:application", "--django-static", cwd=current, env=env) as server:
        assert get(server, "/static/a.css") == (200, b"first")
        new = tmp_path / "new"
        new.symlink_to(second)
        new.rename(current)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if get(server, "/static/a.css") == (200, b"second"):
                return
        pytest.fail("the first release is still served")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("STATIC_URL = '/static/'\n", "STATIC_ROOT is not set"),
        ("STATIC_ROOT = '/srv/static'\n", "STATIC_URL is not set"),
        ("STATIC_URL = 'https://cdn.example/'\nSTATIC_ROOT = '/tmp'\n", "is no path of this server"),
        ("STATIC_URL = '/static/'\nSTATIC_ROOT = BASE_DIR / 'none'\n", "cannot open"),
        ("import missing_module\n", "missing_module"),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, settings: str, said: str) -> None:
    root = project(tmp_path, settings)
    done = run("wsgi:application", "--django-static", "--bind", "127.0.0.1:0", cwd=root)
    assert done.returncode == 1
    assert said in done.stderr
    assert "--django-static" in done.stderr or "--static /static/=" in done.stderr
