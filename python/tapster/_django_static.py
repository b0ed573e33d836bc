"""Say where a Django project has its static files: `STATIC_URL`, a zero byte, `STATIC_ROOT`. Run as a process of its own at the
start of a server with `--django-static`; no public API.
"""

from __future__ import annotations

import os
import sys

from tapster._worker import boot
from tapster.loading import AppError


def main(app: str, pythonpath: list[str]) -> str:
    """The answer; raises SystemExit with the reason when there is none."""
    try:
        if not os.environ.get("DJANGO_SETTINGS_MODULE"):
            # The application names its settings when it is imported.
            boot(app or None, None, pythonpath, [])
        else:
            sys.path[:0] = [os.getcwd(), *pythonpath]
        return _answer()
    except AppError as error:
        raise SystemExit(str(error)) from None


def _answer() -> str:
    try:
        from django.conf import settings  # pyright: ignore[reportMissingTypeStubs]
        from django.core.exceptions import ImproperlyConfigured  # pyright: ignore[reportMissingTypeStubs]
    except ImportError as error:
        raise SystemExit(f"--django-static: Django cannot be imported: {error}") from None
    try:
        url, root = settings.STATIC_URL, settings.STATIC_ROOT
    except (ImproperlyConfigured, ImportError) as error:
        raise SystemExit(f"--django-static: the settings cannot be loaded: {error}") from None
    if not url or not root:
        missing = "STATIC_ROOT" if url else "STATIC_URL"
        raise SystemExit(f"--django-static: {missing} is not set in the settings; collectstatic needs it too")
    return f"{url}\0{os.path.abspath(root)}"


if __name__ == "__main__":
    # What the project prints is not the answer.
    output = os.dup(1)
    os.dup2(2, 1)
    os.write(output, main(sys.argv[1], sys.argv[2:]).encode("utf-8", "surrogateescape"))
