"""wrk, the closed-loop load: every connection sends its next request when it has its answer."""

from __future__ import annotations

import re
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.child import LOAD_CORE, MeasurementError, pinned

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

#: Share of answers that are not 2xx above which a round says nothing: an error is cheap.
WRONG = 0.001

_MILLISECONDS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


@dataclass(frozen=True)
class Outcome:
    """What wrk saw."""

    answered: int
    rate: float
    p50_ms: float
    p99_ms: float
    #: Answers that were not 2xx, connections that broke.
    trouble: str


@dataclass(frozen=True)
class Wrk:
    """What is asked, by how many connections; `script` is Lua that shapes the request."""

    connections: int
    path: str = "/"
    fields: tuple[str, ...] = ()
    script: str = ""

    def load(self, port: int, seconds: int, folder: Path) -> Outcome:
        """Loads the server for so many seconds."""
        try:
            shown = subprocess.run(
                self._command(port, seconds, folder),
                check=True,
                capture_output=True,
                text=True,
                timeout=seconds + 30,
            ).stdout
        except subprocess.TimeoutExpired:
            raise MeasurementError("wrk did not end") from None
        except subprocess.CalledProcessError as error:
            raise MeasurementError(f"wrk ended with status {error.returncode}") from None
        return parse(shown)

    @contextmanager
    def beside(self, port: int, seconds: int, folder: Path) -> Generator[None]:
        """Loads the server at the same time as the block does something else."""
        command = self._command(port, seconds, folder)
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield
        finally:
            child.terminate()
            child.wait()

    def _command(self, port: int, seconds: int, folder: Path) -> Sequence[str]:
        command = ["wrk", "--latency", "-t1", f"-c{self.connections}", f"-d{seconds}s"]
        for line in self.fields:
            command += ["-H", line]
        if self.script:
            script = folder / "load.lua"
            script.write_text(self.script, "utf-8")
            command += ["-s", str(script)]
        return pinned(LOAD_CORE, [*command, f"http://127.0.0.1:{port}{self.path}"])


def parse(shown: str) -> Outcome:
    """Reads wrk's report."""
    answered = int(_figure(r"(\d+) requests in", shown))
    if not answered:
        raise MeasurementError("no request was answered")
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", shown)
    if wrong and int(wrong.group(1)) > WRONG * answered:
        raise MeasurementError(f"{wrong.group(1)} of {answered} answers were wrong")
    return Outcome(
        answered,
        float(_figure(r"Requests/sec:\s+([\d.]+)", shown)),
        _milliseconds(_figure(r"^\s+50%\s+(\S+)", shown)),
        _milliseconds(_figure(r"^\s+99%\s+(\S+)", shown)),
        "; ".join(" ".join(found.split()) for found in re.findall(r"Non-2xx.*|Socket errors.*", shown)),
    )


def _figure(pattern: str, shown: str) -> str:
    found = re.search(pattern, shown, re.MULTILINE)
    if not found:
        raise MeasurementError(f"wrk said something unexpected: {shown[-200:]}")
    return found.group(1)


def _milliseconds(text: str) -> float:
    found = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text)
    if not found:
        raise MeasurementError(f"wrk shows a latency of {text}")
    return float(found.group(1)) * _MILLISECONDS[found.group(2)]
