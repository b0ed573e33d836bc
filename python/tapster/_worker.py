"""What a worker does in Python: load the application, start the threads, run the exit handlers.

Called by the native module in the worker process, after the fork. No public API.
"""

from __future__ import annotations

import atexit
import faulthandler
import io
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Callable

from tapster import _wrappers
from tapster._lifecycle import become, run_exiting, run_forked
from tapster.loading import AppError, load
from tapster.loading.errors import app_code
from tapster.loading.importing import put_first_on_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import FrameType

    from tapster.loading.forms import WsgiCallable

_FAULTS = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT}
"""Never blocked: faulthandler must see them on the thread that causes them."""

_SUPERVISORS_VARIABLES = (
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
)
"""What a service manager tells the supervisor. An application that took it for its own would answer in its place."""

_threads: list[threading.Thread] = []
_fork_hooks: list[Callable[[], None]] = []
_signal_handlers: dict[signal.Signals, Callable[[int, FrameType | None], None]] = {}


def boot(
    app: str | None,
    chdir: str | None,
    pythonpath: list[str],
    env: list[tuple[str, str]],
    mounts: Sequence[tuple[str, str]] = (),
) -> tuple[WsgiCallable, str]:
    """Load the application in this process; return its callable and its name (`app:app (Flask)`).

    Changes to the directory `chdir`, which becomes the first place of the import path, before the
    directories of `pythonpath` (relative ones are read from there). `mounts` are further
    applications. Raises `tapster.loading.AppError`,
    whose text is meant for the log as it is, or KeyboardInterrupt.
    """
    _buffer_lines(sys.stdout, sys.stderr)
    # Without a descriptor of its own (`sys.stderr` replaced by an embedder) there is nowhere to write to.
    with suppress(AttributeError, OSError, RuntimeError, ValueError):
        faulthandler.enable()
    for name in _SUPERVISORS_VARIABLES:
        os.environ.pop(name, None)
    os.environ.update(env)
    if any(name == "TZ" for name, _ in env):
        time.tzset()
    # It reads its configuration from the environment and from the directory that the command was given in.
    _wrappers.run()
    for directory in reversed([_change_directory(chdir), *pythonpath]):
        if not os.path.exists(directory):
            raise AppError(
                f"there is no directory {directory} to import from, in {os.getcwd()}",
                hint="`--pythonpath` names it",
            )
        put_first_on_path(directory)
    # Imported by the supervisor under `tapster gunicorn`, and by nobody else.
    gunicorn = sys.modules.get("tapster.gunicorn.hooks")
    if gunicorn is None:
        loaded = load(app, mounts)
        return loaded.callable, loaded.name
    gunicorn.configure_logging()
    loaded = load(app, mounts)
    return gunicorn.around(loaded.callable), loaded.name


def begin(number: int) -> None:
    """Say which worker this process is, from 1; called before the application is loaded, or after a fork that has it."""
    become(number)


def run_fork_functions() -> None:
    """Run the application's functions for a new worker.

    Raises `tapster.loading.AppError` with the traceback of the one that failed.
    """
    with app_code("running the functions of tapster.on_fork"):
        run_forked()


def start_threads(serve: Callable[[int], None], count: int) -> None:
    """Start `count` threads that call `serve(index)`, index from 0; return at once.

    They are daemons, so that a request that never ends cannot keep the process, and signals are
    blocked in them: the main thread runs the application's signal handlers.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - _FAULTS)
    try:
        for index in range(count):
            thread = threading.Thread(target=serve, args=(index,), name=f"tapster-{index + 1}", daemon=True)
            thread.start()
            _threads.append(thread)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def pool_identities() -> set[int | None]:
    """The identities of the threads that serve requests."""
    return {thread.ident for thread in _threads}


def join_threads(timeout: float) -> list[str]:
    """Wait at most `timeout` seconds in all for the threads; return the names of those still running."""
    deadline = time.monotonic() + timeout
    for thread in _threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [thread.name for thread in _threads if thread.is_alive()]


def install_wakeup_fd(read_end: int, write_end: int) -> None:
    """Make a pipe's ends not block, and have a byte written to it for each signal with a Python handler.

    Main thread only.
    """
    for end in (read_end, write_end):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)


def install_signal_handlers(drain: Callable[[], None]) -> None:
    """Let TERM call `drain`; take no notice of INT, QUIT and HUP, which the supervisor answers.

    They are handled rather than ignored, so that programs that the application starts do not inherit
    an ignored signal. What the application installed while it was loaded stays. Main thread only.
    """
    handlers: dict[signal.Signals, Callable[[int, FrameType | None], None]] = {
        signal.SIGTERM: lambda _number, _frame: drain(),
        signal.SIGINT: _take_no_notice,
        signal.SIGQUIT: _take_no_notice,
        signal.SIGHUP: _take_no_notice,
    }
    for number, handler in handlers.items():
        if _is_untouched(signal.getsignal(number)):
            signal.signal(number, handler)
            _signal_handlers[number] = handler


def _is_untouched(handler: object) -> bool:
    """Whether the application has no handler of its own: ddtrace's would end the worker in the middle of its requests.

    What that one does at a signal is done by ddtrace's function of `atexit`, when the requests have ended.
    """
    if handler in (signal.SIG_DFL, signal.SIG_IGN, signal.default_int_handler):
        return True
    return str(getattr(handler, "__module__", "")).startswith("ddtrace.")


def install_fork_hooks(before: Callable[[], None], in_child: Callable[[], None]) -> None:
    """Have the server let go of its sockets in a process that the application forks."""
    if not _fork_hooks:
        os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
    _fork_hooks[:] = [before, in_child]


def _before_fork() -> None:
    _fork_hooks[0]()


def _after_fork() -> None:
    _fork_hooks[1]()


def stand_down(timeout: float) -> None:
    """Let go of all that makes this process a worker, so that it can be a template (`--refork-after`).

    Waits at most `timeout` seconds for the threads, ends what `tapster.on_exit` ends, and leaves
    signals and forks as they were before. Raises `tapster.loading.AppError` when a thread stays. Main
    thread only.
    """
    if left := join_threads(timeout):
        raise AppError(f"threads of the server still run: {', '.join(left)}")
    _threads.clear()
    run_exiting()
    _fork_hooks[:] = [_nothing, _nothing]
    for number, handler in _signal_handlers.items():
        # What the application has put in their place stays.
        if signal.getsignal(number) is handler:
            signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.SIG_IGN)
    _signal_handlers.clear()
    signal.set_wakeup_fd(-1)


def _take_no_notice(_number: int, _frame: FrameType | None) -> None:
    """Leave the signal to the supervisor."""


def run_exit_handlers(timeout: float = 5.0) -> None:
    """Do what CPython does at exit, short of ending the interpreter: the caller ends the process then.

    Waits for the application's own non-daemon threads, runs its `atexit` functions (`logging.shutdown`
    and the executors are among them), flushes stdout and stderr. When that takes longer than `timeout`
    seconds, says on stderr what it waits for, and ends the process with status 0. Main thread only.
    """
    finished = threading.Event()
    watchdog = threading.Thread(
        target=_end_when_late, args=(finished, timeout), name="tapster-exit-watchdog", daemon=True
    )
    watchdog.start()
    try:
        # The order is Py_FinalizeEx's: threads (and the executors' hooks), then atexit, then the streams.
        run_exiting()
        getattr(threading, "_shutdown", _nothing)()
        # CPython 3.9 has printed what a function raised, and raises the last one again.
        with suppress(BaseException):
            atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage]
        _flush()
    finally:
        finished.set()


def _end_when_late(finished: threading.Event, timeout: float) -> None:
    if finished.wait(timeout):
        return
    import traceback

    left = _threads_left()
    frame = sys._current_frames().get(  # pyright: ignore[reportPrivateUsage]
        threading.main_thread().ident or 0
    )
    stack = "".join(traceback.format_stack(frame)) if frame is not None else ""
    named = f", threads still running: {', '.join(left)}" if left else ""
    sys.stderr.write(
        f"tapster: exit handlers of process {os.getpid()} not finished after {timeout:g} s{named}; "
        f"ending it. The main thread is in:\n{stack}"
    )
    _flush()
    os._exit(0)


def _threads_left() -> list[str]:
    """The application's threads that an exit waits for."""
    return [
        thread.name
        for thread in threading.enumerate()
        if not thread.daemon and thread is not threading.main_thread()
    ]


def _change_directory(chdir: str | None) -> str:
    """Change to `chdir`; return the directory as it was named, so that a symlink to a release stays one."""
    if chdir is not None:
        try:
            os.chdir(chdir)
        except OSError as error:
            raise AppError(
                f"cannot change to the directory {chdir}: {error.strerror}",
                hint="`--chdir` names the directory that the application is loaded from",
            ) from None
        if os.path.isabs(chdir):
            return chdir
    return os.getcwd()


def _buffer_lines(*streams: object) -> None:
    """Let `print()` show up in a container's log at once, whatever stdout is."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)


def _flush() -> None:
    streams: Iterable[object] = (sys.stdout, sys.stderr)
    for stream in streams:
        if isinstance(stream, io.TextIOBase) and not stream.closed:
            # When the reader of the log has gone, there is nowhere to say so.
            with suppress(OSError):
                stream.flush()


def _nothing() -> None:
    """In place of a hook that this version of Python does not have."""
