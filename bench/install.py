"""Installs the peers beside the running interpreter, one by one: one that does not build here is named, not fatal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def main() -> None:
    """All of requirements.txt."""
    lines = _REQUIREMENTS.read_text("utf-8").splitlines()
    for requirement in (line for line in lines if line and not line.startswith("#")):
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement]
        done = subprocess.run(pip, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            tail = "\n  ".join(done.stdout.strip().splitlines()[-5:])
            print(f"{requirement} cannot be installed here and is not measured:\n  {tail}", file=sys.stderr)


if __name__ == "__main__":
    main()
