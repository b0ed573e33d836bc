"""What every Python thread of this process is doing, for the log and for `tapster stacks`.

Called by the native module in a worker. No public API.
"""

from __future__ import annotations

import faulthandler
import signal
import sys
import threading
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType


def install(descriptor: int) -> int:
    """Have a signal write the stacks of all threads to `descriptor`; return its number.

    The interpreter's lock is not needed then: it may be held by a call that does not let it go.
    The signal is one that nobody else uses, and is only ever raised by the server itself.
    """
    number = _signal()
    faulthandler.register(number, file=descriptor, all_threads=True, chain=False)
    return number


def current() -> list[tuple[int, str, str]]:
    """Give the identity, the name and the stack of each thread but the calling one."""
    frames: dict[int, FrameType] = sys._current_frames()  # pyright: ignore[reportPrivateUsage]
    frames.pop(threading.get_ident(), None)
    # Without the lock that threading.enumerate() takes: a thread that is stuck may hold it.
    threads: dict[int, threading.Thread] = getattr(threading, "_active", {}).copy()
    return [
        (ident, threads[ident].name if ident in threads else "", _text(frame))
        for ident, frame in frames.items()
    ]


def _text(frame: FrameType) -> str:
    """The stack without the frames by which every thread begins, unless there are no others."""
    stack = traceback.extract_stack(frame)
    begins = next((n for n, entry in enumerate(stack) if entry.filename != threading.__file__), 0)
    return "".join(traceback.format_list(stack[begins:]))


def _signal() -> int:
    """A real-time signal; a signal for people's curiosity where there are none."""
    last = getattr(signal, "SIGRTMAX", None)
    return int(last) - 1 if last is not None else int(getattr(signal, "SIGINFO", signal.SIGUSR2))
