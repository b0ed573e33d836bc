"""The access log in Python's own `logging` (`--access-log python`): a thread that gives its logger the lines.

Started by the native module in a worker that serves, when the application is loaded. No public API.
"""

from __future__ import annotations

import logging
import signal
import threading
import traceback
from typing import Callable, Optional

Take = Callable[[], Optional["list[str]"]]

_threads: list[threading.Thread] = []


def start(take: Take) -> None:
    """Start the thread; it ends when `take` has nothing any more.

    Signals are left to the main thread.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        thread = threading.Thread(target=_log, args=(take,), name="tapster-access-log", daemon=True)
        thread.start()
        _threads[:] = [thread]
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def join(timeout: float) -> None:
    """Wait at most `timeout` seconds for the last lines to be logged."""
    while _threads:
        _threads.pop().join(timeout)


def _log(take: Take) -> None:
    logger = logging.getLogger("tapster.access")
    if logger.level == logging.NOTSET:
        # Requests are information, and the root logger shows warnings unless it is told otherwise.
        logger.setLevel(logging.INFO)
    while (lines := take()) is not None:
        for line in lines:
            try:
                logger.info("%s", line)
            except Exception:
                # A handler of the application's that raises loses one line.
                traceback.print_exc()
