"""The lines that a child process writes: kept, searched, waited for.

Whoever looks sees all that has been written by then: a thread reads on behalf of those who wait, and who looks reads first.
"""

from __future__ import annotations

import os
import re
import select
import threading
import time
from contextlib import suppress
from typing import IO


class Log:
    """Lines in the order they came; a reader may wait for one."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        os.set_blocking(stream.fileno(), False)
        self._lines: list[str] = []
        self._unfinished = b""
        self._changed = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def mark(self) -> int:
        """The number of lines so far, for `since`."""
        with self._changed:
            self._take()
            return len(self._lines)

    def lines(self, since: int = 0) -> list[str]:
        """The lines written after the mark."""
        with self._changed:
            self._take()
            return self._lines[since:]

    def text(self, since: int = 0) -> str:
        """The lines written after the mark, as one text."""
        return "\n".join(self.lines(since))

    def find(self, pattern: str, since: int = 0) -> list[str]:
        """The lines after the mark in which the pattern is found."""
        return [line for line in self.lines(since) if re.search(pattern, line)]

    def wait_for(self, pattern: str, since: int = 0, timeout: float = 20.0) -> re.Match[str]:
        """Waits for a line in which the pattern is found."""
        expression = re.compile(pattern)
        deadline = time.monotonic() + timeout
        place = since
        with self._changed:
            while True:
                for line in self._lines[place:]:
                    found = expression.search(line)
                    if found:
                        return found
                place = len(self._lines)
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    why = "the process ended" if self._ended else f"nothing within {timeout} s"
                    raise AssertionError(
                        f"no log line matches {pattern!r} ({why}):\n" + "\n".join(self._lines[since:])
                    )
                self._changed.wait(left)

    def join(self, timeout: float = 5.0) -> None:
        """Waits until the last process that holds the other end has closed it."""
        self._reader.join(timeout)

    def _read(self) -> None:
        readable = select.poll()
        readable.register(self._stream, select.POLLIN)
        while not self._ended:
            readable.poll()
            with self._changed:
                self._take()

    def _take(self) -> None:
        """Takes all that was written. Called with the lock held."""
        with suppress(BlockingIOError):
            while not self._ended:
                data = os.read(self._stream.fileno(), 1 << 16)
                *lines, self._unfinished = (self._unfinished + data).split(b"\n")
                if not data:
                    self._ended = True
                    lines += [self._unfinished] if self._unfinished else []
                self._lines += [line.decode("utf-8", "backslashreplace").rstrip("\r") for line in lines]
                self._changed.notify_all()
