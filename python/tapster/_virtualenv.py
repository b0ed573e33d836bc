"""`--virtualenv`: runs the tapster of a virtual environment, or takes the packages of one. No public API."""

from __future__ import annotations

import os
import site
import sys
from pathlib import Path

from tapster.loading import AppError


def enter(directory: str, arguments: list[str]) -> None:
    """Become the server that is installed in `directory`; without one, import from its packages.

    Raises `tapster.loading.AppError` when it is no environment, or one of another version of Python without tapster.
    """
    root = Path(os.path.abspath(directory))
    if os.path.realpath(root) == os.path.realpath(sys.prefix):
        return
    python = next((path for name in ("python", "python3") if (path := root / "bin" / name).exists()), None)
    if python is None:
        raise AppError(
            f"--virtualenv: {directory} is no virtual environment: it has no bin/python",
            hint="name the directory that `python -m venv` made",
        )
    places = sorted(root.glob("lib/python3.*/site-packages"))
    if any(_has_tapster(place) for place in places) and os.path.abspath(sys.executable) != str(python):
        os.environ["VIRTUAL_ENV"] = str(root)
        os.execv(python, [str(python), "-m", "tapster", *arguments])  # noqa: S606
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    fitting = [place for place in places if place.parent.name == version]
    if not fitting:
        found = ", ".join(place.parent.name for place in places) or "no packages"
        raise AppError(
            f"--virtualenv: {directory} has {found}, and this tapster runs on {version}",
            hint=f"install tapster there: {python} -m pip install tapster",
        )
    before = list(sys.path)
    site.addsitedir(str(fitting[0]))
    sys.path[:] = [entry for entry in sys.path if entry not in before] + before
    os.environ["VIRTUAL_ENV"] = str(root)


def _has_tapster(packages: Path) -> bool:
    """Whether it was installed there, also in place (`pip install -e`)."""
    return (packages / "tapster").exists() or any(packages.glob("tapster-*.dist-info"))
