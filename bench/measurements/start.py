"""From the execution of the command to its first answer, less what importing the application takes without a server."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.child import APPS, SERVER_CORE, pinned
from bench.results import Round
from bench.serving import serving

if TYPE_CHECKING:
    from bench.serving import Job


@dataclass(frozen=True)
class Start:
    """One start."""

    def __call__(self, job: Job) -> Round:
        """The import and the start follow each other, so that both find the machine alike."""
        begun = time.monotonic()
        code = f"import {job.app}"
        subprocess.run(pinned(SERVER_CORE, [sys.executable, "-c", code]), cwd=APPS, check=True)
        imported = time.monotonic() - begun
        begun = time.monotonic()
        with serving(job):
            answered = time.monotonic() - begun
        return Round(
            {
                "answer_ms": answered * 1e3,
                "import_ms": imported * 1e3,
                "added_ms": (answered - imported) * 1e3,
            }
        )
