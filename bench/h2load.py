"""h2load: a fixed number of requests, or a fixed rate, over HTTP/1.1. It comes with nghttp2."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.child import LOAD_CORE, MeasurementError, pinned

if TYPE_CHECKING:
    from pathlib import Path


#: Seconds for all requests.
TIMEOUT = 45.0


@dataclass(frozen=True)
class Outcome:
    """What came back."""

    answered: int
    failed: int
    rate: float
    p50_ms: float
    p99_ms: float


def send(port: int, requests: int, connections: int, folder: Path) -> Outcome:
    """Sends so many requests, as fast as they are answered."""
    return _run(port, connections, folder, f"-n{requests}")


def send_at_rate(port: int, rate: int, seconds: int, connections: int, folder: Path) -> Outcome:
    """Sends so many requests a second in all, where the answers come in time."""
    return _run(port, connections, folder, f"-D{seconds}", f"--rps={rate / connections:g}")


def _run(port: int, connections: int, folder: Path, *much: str) -> Outcome:
    log = folder / "h2load.log"
    log.unlink(missing_ok=True)
    command = ["h2load", "--h1", "-t1", f"-c{connections}", *much, f"--log-file={log}"]
    try:
        subprocess.run(
            pinned(LOAD_CORE, [*command, f"http://127.0.0.1:{port}/"]),
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        raise MeasurementError(f"h2load did not end within {TIMEOUT:g} s") from None
    except subprocess.CalledProcessError as error:
        raise MeasurementError(f"h2load ended with status {error.returncode}") from None
    return _read(log)


def _read(log: Path) -> Outcome:
    """One line a request: when it began, its status, how long it took, times in microseconds."""
    rows = [line.split("\t") for line in log.read_text("utf-8").splitlines()]
    took = sorted(int(row[2]) for row in rows if row[1] == "200")
    if not took:
        raise MeasurementError("h2load: no request was answered")
    begun = [int(row[0]) for row in rows]
    span = (max(begun) - min(begun)) / 1e6 or 1e-6
    return Outcome(
        len(took), len(rows) - len(took), len(took) / span, _at(took, 0.50) / 1e3, _at(took, 0.99) / 1e3
    )


def _at(values: list[int], share: float) -> int:
    return values[min(len(values) - 1, int(len(values) * share))]
