"""What `--preload` does in Python: make the process that imported the application fit to be forked.

Called by the native module, in the template process and in each worker that it forks. No public API.
"""

from __future__ import annotations

import gc
import os
import re
import socket
import stat
import sys
import threading
import time
import weakref
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Callable, cast

from tapster._lifecycle import become, keep_registered, restore_registered
from tapster.loading import AppError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType

_PATIENCE = 0.5
"""Seconds that threads which the import has started, and which are about to end, are given for it."""

_PATIENCE_OF_WORKER = 2.0
"""The same for those of a worker: it is tried once, and the machine may be busy."""

_NATIVE_POOLS = re.compile(
    r"[^/]*(?:openblas|mkl_|gomp|iomp|libomp|grpc|tensorflow|libtorch|rdkafka)[^/]*$", re.I
)
"""Libraries that are known to start threads of their own."""


_OWN_THREADS = (
    "tapster-monitor",
    "tapster-files",
    "tapster-log",
    "tapster-reports",
    "tapster-stacks",
    "tapster-timeout",
)
"""What the system calls the native threads of a worker."""

_RESTARTED = ("opentelemetry.sdk", "ddtrace")
"""Packages that start their threads again in each process that is forked."""

_imported: set[tuple[int, int]] = set()
"""Devices and inodes of what was open after the import."""

_templates: list[weakref.finalize[..., object]] = []
"""What this process would remove if it became a template."""


def descriptors() -> set[int]:
    """The numbers of all open descriptors."""
    listed = [int(name) for name in os.listdir("/proc/self/fd")]
    # The one that the list was read from is closed again.
    return {number for number in listed if _is_open(number)}


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def prepare(before: set[int]) -> list[str]:
    """Make ready for forks; return what the operator should be warned of.

    `before` are the descriptors that were open before the application was imported. Raises
    `tapster.loading.AppError` when the import left Python threads running.
    """
    if threads := _wait_for_none(_python_threads, _PATIENCE):
        raise AppError(
            f"importing the application left {_count(threads)} running, and none of them would be in a forked worker:"
            f"{_list(threads)}",
            hint="start threads in each worker, from os.register_at_fork(after_in_child=…) or at the first request, "
            "or leave --preload out",
        )
    warnings = [*_native_threads("importing the application started"), *_connections(before)]
    keep_registered()
    _imported.update(_inodes())
    # What lives now lives as long as the process: collections in the workers leave it alone, so that its memory
    # stays shared.
    gc.collect()
    gc.freeze()
    return warnings


def in_worker() -> None:
    """In a new worker: leave what the template made for all to the template.

    `tempfile.TemporaryDirectory` and others remove at exit what they made: the first worker to end would take
    it from its peers.
    """
    for finalizer in _finalizers():
        if finalizer.atexit:
            finalizer.atexit = False
            _templates.append(finalizer)


def become_template() -> list[str]:
    """In a worker that has drained and is to fork the others: make ready for it; return what the operator should be warned of.

    Raises `tapster.loading.AppError` when it must not be forked: it has threads that forks would lack, or
    connections that all of them would share.
    """
    if threads := _wait_for_none(_python_threads, _PATIENCE_OF_WORKER):
        raise AppError(
            f"the application has left {_count(threads)} running:{_list(threads)}",
            hint="end what a worker has started with tapster.on_exit, or leave --refork-after out",
        )
    if left := _wait_for_none(_own_threads, _PATIENCE_OF_WORKER):
        raise AppError(f"threads of the server still run: {', '.join(left)}")
    # What nobody refers to any more need not be shared, and connections among it are closed.
    gc.collect()
    if peers := _new_streams():
        raise AppError(
            f"all workers would share the connections that it has opened: {', '.join(peers)}",
            hint="close them with tapster.on_exit (engine.dispose(), connections.close_all()), or leave "
            "--refork-after out",
        )
    warnings = [*_native_threads("the application has started")]
    for finalizer in _templates:
        finalizer.atexit = True
    _templates.clear()
    restore_registered()
    become(0)
    gc.freeze()
    return warnings


def end() -> None:
    """At the end of a template whose workers have all gone: remove what it made for them."""
    for finalizer in reversed(_finalizers()):
        if finalizer.atexit:
            # Nobody is left to be told.
            with suppress(Exception):
                finalizer()


def _finalizers() -> list[weakref.finalize[..., object]]:
    registry: dict[object, object] = getattr(weakref.finalize, "_registry", {})
    return [cast("weakref.finalize[..., object]", finalizer) for finalizer in registry]


def _own_threads() -> list[str]:
    """The native threads of the server, by name."""
    return [name for name in _other_threads() if name in _OWN_THREADS]


def _wait_for_none(find: Callable[[], list[str]], patience: float) -> list[str]:
    """What is still found after so many seconds."""
    deadline = time.monotonic() + patience
    while (found := find()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


def _count(threads: list[str]) -> str:
    return "a thread" if len(threads) == 1 else f"{len(threads)} threads"


def _list(threads: list[str]) -> str:
    return "".join(f"\n  {thread}" for thread in threads)


def _python_threads() -> list[str]:
    """Name and place of each thread but this one."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    frames = sys._current_frames()  # pyright: ignore[reportPrivateUsage]
    own = threading.get_ident()
    return [
        f"{names.get(ident, 'a thread without a name')}, {_place(frame)}"
        for ident, frame in ((ident, _began(frame)) for ident, frame in frames.items())
        if ident != own and not _is_restarted(frame)
    ]


def _began(frame: FrameType) -> FrameType:
    """Where a thread began, which says more than where it waits."""
    outermost = frame
    while frame.f_back is not None:
        frame = frame.f_back
        if not frame.f_code.co_filename.endswith("threading.py"):
            outermost = frame
    return outermost


def _is_restarted(frame: FrameType) -> bool:
    """Whether the thread that began there is one that each worker gets anew, from a package that sees to it."""
    for name in _RESTARTED:
        directories: Iterable[str] = getattr(sys.modules.get(name), "__path__", ())
        if any(frame.f_code.co_filename.startswith(f"{directory}{os.sep}") for directory in directories):
            return True
    return False


def _place(frame: FrameType) -> str:
    return f"in {frame.f_code.co_name}() of {frame.f_code.co_filename}, line {frame.f_lineno}"


def _restarted_native() -> set[str]:
    """What the system calls the native threads that ddtrace starts again in each worker."""
    if "ddtrace.internal.native_runtime" not in sys.modules:
        return set()
    periodic: dict[int, threading.Thread] = getattr(
        sys.modules.get("ddtrace.internal._threads"), "periodic_threads", {}
    )
    # The system keeps 15 characters.
    return {"tokio-rt-worker", *(thread.name.rpartition(":")[2][:15] for thread in periodic.values())}


def _other_threads() -> list[str]:
    """What the system calls the threads of this process that are not Python's."""
    known = {thread.native_id for thread in threading.enumerate()} | {os.getpid()}
    names: list[str] = []
    for task in os.listdir("/proc/self/task"):
        if int(task) not in known:
            with suppress(OSError):
                names.append(Path(f"/proc/self/task/{task}/comm").read_text(encoding="utf-8").strip())
    return names


def _native_threads(began: str) -> Iterable[str]:
    """The warning about threads that libraries started without Python."""
    restarted = _restarted_native()
    names = [name for name in _other_threads() if name not in restarted]
    if not names:
        return
    libraries = _mapped_pools()
    by = f", perhaps of {', '.join(libraries)}" if libraries else ""
    counted = ", ".join(f"{names.count(name)} {name}" for name in sorted(set(names)))
    yield (
        f"{began} native threads ({counted}{by}) that forked workers do not have; "
        "if workers hang, leave --preload out, or keep that library from starting threads "
        "(OPENBLAS_NUM_THREADS=1, for example)"
    )


def _mapped_pools() -> list[str]:
    with suppress(OSError):
        paths = {
            line.split()[-1] for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
        }
        return sorted({found[0] for path in paths if (found := _NATIVE_POOLS.search(path))})
    return []


def _connections(before: set[int]) -> Iterable[str]:
    """The warning about connections that all workers would share."""
    peers = [peer for number in sorted(descriptors() - before) if (peer := _peer(number))]
    if peers:
        yield (
            f"importing the application opened connections that all workers would share: {', '.join(peers)}; "
            "close them after the import (engine.dispose(), connections.close_all()), or open them in each worker, "
            "from os.register_at_fork(after_in_child=…) or at the first request"
        )


def _inodes() -> set[tuple[int, int]]:
    """What the open descriptors stand for, whatever their numbers are in another process."""
    found: set[tuple[int, int]] = set()
    for number in descriptors():
        with suppress(OSError):
            status = os.fstat(number)
            found.add((status.st_dev, status.st_ino))
    return found


def _new_streams() -> list[str]:
    """The peers of connections that were opened since the import, in which bytes of several workers would mix."""
    peers: list[str] = []
    for number in sorted(descriptors()):
        with suppress(OSError):
            status = os.fstat(number)
            is_new = stat.S_ISSOCK(status.st_mode) and (status.st_dev, status.st_ino) not in _imported
            if is_new and (peer := _peer(number)) and _is_stream(number):
                peers.append(peer)
    return peers


def _is_stream(number: int) -> bool:
    with socket.socket(fileno=os.dup(number)) as connection:
        return connection.type == socket.SOCK_STREAM


def _peer(number: int) -> str | None:
    """Who is at the other end of a socket, if somebody is."""
    try:
        with socket.socket(fileno=os.dup(number)) as connection:
            family, address = connection.family, connection.getpeername()
    except OSError:
        return None
    if family == socket.AF_INET:
        return f"{address[0]}:{address[1]}"
    if family == socket.AF_INET6:
        return f"[{address[0]}]:{address[1]}"
    if family == socket.AF_UNIX and address:
        return os.fsdecode(address).replace("\0", "@")
    return None
