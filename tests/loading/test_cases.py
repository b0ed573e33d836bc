"""Each file in `cases/` is a directory with an application, a command, and what Tapster makes of it.

The message is compared word for word. To accept new messages run `UPDATE_CASES=1 pytest tests/loading`, and
read the diff.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple

import pytest

HERE = Path(__file__).parent
SOURCES = HERE.parent.parent / "python"
CASES = sorted((HERE / "cases").glob("*.txt"))
SECTION = re.compile(r"^--- (.+)\n", re.MULTILINE)
CARETS = re.compile(r"^ *[~^]+ *\n", re.MULTILINE)
"""Where the interpreter points at: each version points in another way, or not at all."""

CIRCULAR_IMPORT = re.compile(r"(cannot import name '\w+' from).*")
"""What each version explains at greater length."""


class Case(NamedTuple):
    """One case, as it is written in its file."""

    arguments: list[str]
    needs: list[str]
    files: dict[str, str]
    result: str


def read(path: Path) -> Case:
    """Parse a case: a heading with `$ tapster …` and perhaps `needs: …`, files, and at the end the result."""
    heading, *rest = SECTION.split(path.read_text())
    sections = dict(zip(rest[::2], rest[1::2]))
    command = re.search(r"^\$ tapster *(.*)$", heading, re.MULTILINE)
    needs = re.search(r"^needs: (.*)$", heading, re.MULTILINE)
    assert command is not None, f"{path.name} has no command"
    return Case(
        arguments=shlex.split(command.group(1)),
        needs=needs.group(1).split() if needs else [],
        result=sections.pop("result", ""),
        files=sections,
    )


def run(case: Case, directory: Path) -> str:
    """Make the directory, load the application in a fresh process, and return what it printed."""
    for name, text in case.files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    finished = subprocess.run(
        [sys.executable, str(HERE / "boot_and_call.py"), *case.arguments],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(SOURCES), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=30,
        check=False,
    )
    return anonymous(finished.stdout, directory)


def anonymous(text: str, directory: Path) -> str:
    """Replace what depends on the machine and the version of Python."""
    text = CARETS.sub("", text.replace(str(directory), "<dir>").replace(sys.executable, "<python>"))
    text = CIRCULAR_IMPORT.sub(r"\1 …", text)
    for name in ("purelib", "platlib", "stdlib"):
        text = text.replace(sysconfig.get_paths()[name], "<lib>")
    return text


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_case(path: Path, tmp_path: Path) -> None:
    """The application is served, or refused with the message that the case has."""
    case = read(path)
    for module in case.needs:
        if importlib.util.find_spec(module) is None:
            pytest.fail(f"{module} is not installed: `make install` does that")
    result = run(case, tmp_path.resolve())
    if os.environ.get("UPDATE_CASES"):
        path.write_text(path.read_text().partition("--- result\n")[0] + "--- result\n" + result)
    assert result == case.result
