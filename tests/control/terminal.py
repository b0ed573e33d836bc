"""A terminal for programs that draw a screen: a pty, and as much of a screen as they need."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from typing import TYPE_CHECKING

from tests.server import command, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PATIENCE = 40.0

#: A control sequence with its parameters and its last letter, or another escape, or a text, or a control character.
PIECE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b.|([^\x00-\x1f\x1b]+)|[\x00-\x1f]")


class Terminal:
    """A program on a terminal of its own, in a session of its own; with a script it is the arguments of that."""

    def __init__(
        self,
        *words: str,
        columns: int = 80,
        lines: int = 24,
        env: Mapping[str, str] | None = None,
        script: str | None = None,
    ) -> None:
        self.columns = columns
        self.cells = [[" "] * columns for _ in range(lines)]
        self.row = self.column = 0
        self.raw = b""
        self.modes: set[str] = set()
        self.main, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.before = termios.tcgetattr(side)
        self.process = subprocess.Popen(
            [*(["bash", "-c", script, "bash"] if script else []), *command(), *words],
            stdin=side,
            stdout=side,
            stderr=side,
            env={**environment(env), "TERM": "xterm-256color"},
            preexec_fn=self._lead,
        )
        self.side = side

    @staticmethod
    def _lead() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def press(self, keys: str) -> None:
        """Types."""
        os.write(self.main, keys.encode())

    def text(self) -> str:
        """What the screen shows now."""
        return "\n".join("".join(line).rstrip() for line in self.cells)

    def wait_for(self, found: str | Callable[[str], object]) -> str:
        """Waits until the screen shows a text that a pattern or a function finds; what it shows then."""
        deadline = time.monotonic() + PATIENCE
        while True:
            text = self.text()
            if re.search(found, text) if isinstance(found, str) else found(text):
                return text
            has_ended = self.process.poll() is not None
            assert time.monotonic() < deadline, f"not shown: {found}\n{text}"
            assert self._read() or not has_ended, f"it ended, and did not show {found}\n{text}"

    def wait_for_end(self) -> int:
        """Reads to the end of the program; its exit status."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.text()
            self._read()
        while self._read():
            pass
        return self.process.returncode

    def is_as_before(self) -> bool:
        """Whether the terminal is as it was before the program: its own screen, a cursor, and lines that are edited."""
        while self._read():
            pass
        return self.modes <= {"?25"} and termios.tcgetattr(self.side) == self.before

    def _read(self) -> bool:
        if not select.select([self.main], [], [], 0.05)[0]:
            return False
        data = os.read(self.main, 65536)
        self.raw += data
        # A character or a sequence that is cut waits for its rest.
        while self.raw.count(b"\x1b") and not re.search(
            rb"\x1b(\[[0-9;?]*[A-Za-z]|[^\[])[^\x1b]*$", self.raw
        ):
            self.raw += os.read(self.main, 65536)
        for piece in PIECE.finditer(self.raw.decode("utf-8", "ignore")):
            self._show(piece)
        self.raw = b""
        return True

    def _show(self, piece: re.Match[str]) -> None:
        parameters, letter, text = piece.groups()
        if text:
            for character in text:
                if self.row < len(self.cells) and self.column < self.columns:
                    self.cells[self.row][self.column] = character
                self.column += 1
        elif letter == "H":
            numbers = [int(number or 1) for number in parameters.split(";")] + [1]
            self.row, self.column = numbers[0] - 1, (numbers[1] if ";" in parameters else 1) - 1
        elif letter == "J":
            self.cells = [[" "] * self.columns for _ in self.cells]
        elif letter == "h":
            self.modes.add(parameters)
        elif letter == "l":
            self.modes.discard(parameters)
        elif piece.group() == "\r":
            self.column = 0
        elif piece.group() == "\n":
            self.row = min(self.row + 1, len(self.cells) - 1)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.main)
        os.close(self.side)
