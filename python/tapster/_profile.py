"""What the threads of this process do over some time, for `tapster profile`.

Used by the native module in a worker: it looks every some milliseconds, on a native thread. No public API.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import TYPE_CHECKING

from tapster._worker import pool_identities

if TYPE_CHECKING:
    from types import CodeType, FrameType


class Sampler:
    """Counts stacks and the time that they stand for.

    The frames by which every thread begins are left out: a thread of the pool without others waits for requests.  The
    main thread only waits.
    """

    def __init__(self, cpu: bool, all_threads: bool) -> None:
        self._cpu = cpu
        self._all_threads = all_threads
        self._strangers = {threading.get_ident(), threading.main_thread().ident}
        #: Each kind of frame once: code, which is kept so that no other gets its identity, and line.
        self._frames: list[tuple[CodeType, int]] = []
        self._numbers: dict[tuple[int, int], int] = {}
        self._stacks: dict[tuple[str, tuple[int, ...]], list[int]] = {}
        #: Nanoseconds on a CPU, by thread, when it was last seen.
        self._clocks: dict[int, int] = {}
        self._looks = 0
        self._began = self._last = time.monotonic_ns()

    def sample(self) -> None:
        """Look at every thread; what it does stands for the time since the last look."""
        now = time.monotonic_ns()
        passed, self._last = now - self._last, now
        self._looks += 1
        pool = pool_identities()
        for ident, frame in sys._current_frames().items():  # pyright: ignore[reportPrivateUsage]
            if ident in self._strangers:
                continue
            name = "" if ident in pool else _name(ident)
            if name and not self._all_threads:
                continue
            time_spent = self._spent(ident) if self._cpu else passed
            if time_spent and (stack := self._walk(frame)):
                count = self._stacks.setdefault((name, stack), [0, 0])
                count[0] += time_spent
                count[1] += 1

    def result(self) -> str:
        """All that was seen, as JSON: frames, and stacks of them from the outermost, with microseconds and looks."""
        roots = sorted((os.path.join(path, "") for path in sys.path if path), key=len, reverse=True)
        frames: list[tuple[str, str, int]] = []
        for code, line in self._frames:
            name = getattr(code, "co_qualname", code.co_name)
            frames.append((name, _short(code.co_filename, roots), line))
        stacks = [
            (name, stack, nanoseconds // 1000, looks)
            for (name, stack), (nanoseconds, looks) in self._stacks.items()
        ]
        seconds = (self._last - self._began) / 1e9
        return json.dumps({"seconds": seconds, "looks": self._looks, "frames": frames, "stacks": stacks})

    def _walk(self, innermost: FrameType) -> tuple[int, ...]:
        """The frames from the outermost that is not how every thread begins."""
        stack: list[int] = []
        frame: FrameType | None = innermost
        ends = 0
        while frame is not None:
            code = frame.f_code
            stack.append(self._number(code, frame.f_lineno or code.co_firstlineno))
            if code.co_filename != threading.__file__:
                ends = len(stack)
            frame = frame.f_back
        del stack[ends:]
        stack.reverse()
        return tuple(stack)

    def _number(self, code: CodeType, line: int) -> int:
        key = (id(code), line)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._frames)
            self._frames.append((code, line))
        return number

    def _spent(self, ident: int) -> int:
        # The thread lives: it has a frame, and cannot leave it while this one has the interpreter's lock.
        now = time.clock_gettime_ns(time.pthread_getcpuclockid(ident))
        before = self._clocks.get(ident, now)
        self._clocks[ident] = now
        return now - before


def _name(ident: int) -> str:
    threads: dict[int, threading.Thread] = getattr(threading, "_active", {})
    return threads[ident].name if ident in threads else f"thread {ident}"


def _short(path: str, roots: list[str]) -> str:
    root = next((root for root in roots if path.startswith(root)), "")
    return path[len(root) :]
