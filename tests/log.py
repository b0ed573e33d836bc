"""The lines that a child process writes: kept, searched, waited for. Filled by a thread of the test process."""

from __future__ import annotations

import re
import threading
import time
from typing import IO


class Log:
    """Lines in the order they came; a reader may wait for one."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._reader.start()

    def mark(self) -> int:
        """The number of lines so far, for `since`."""
        with self._changed:
            return len(self._lines)

    def lines(self, since: int = 0) -> list[str]:
        """The lines written after the mark."""
        with self._changed:
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

    def _read(self, stream: IO[bytes]) -> None:
        for raw in stream:
            with self._changed:
                self._lines.append(raw.decode("utf-8", "backslashreplace").rstrip("\r\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()
