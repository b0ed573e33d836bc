"""The Python side of a worker: its threads, its directory and its end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tapster import _worker

SOURCES = Path(__file__).parent.parent.parent / "python"


def run(program: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a program that imports `_worker` and ends without the interpreter's own end, as a worker does."""
    return subprocess.run(
        [sys.executable, "-c", f"import os, sys\nfrom tapster import _worker\n{program}\nos._exit(7)\n"],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(SOURCES)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_threads() -> None:
    """Each thread has its index and its name, is a daemon, and has the signals blocked."""
    seen: dict[int, tuple[str, bool]] = {}
    release = threading.Event()

    def serve(index: int) -> None:
        thread = threading.current_thread()
        seen[index] = (thread.name, thread.daemon)
        release.wait()

    _worker.start_threads(serve, 3)
    assert _worker.join_threads(0.01) == ["tapster-1", "tapster-2", "tapster-3"]
    release.set()
    assert _worker.join_threads(10) == []
    assert seen == {0: ("tapster-1", True), 1: ("tapster-2", True), 2: ("tapster-3", True)}


def test_signals_reach_the_main_thread(tmp_path: Path) -> None:
    """A handler of the application runs in the main thread, and the wake-up descriptor tells of it."""
    result = run(
        """
import signal, threading
reader, writer = os.pipe()
_worker.install_wakeup_fd(reader, writer)
signal.signal(signal.SIGUSR1, lambda number, frame: print(threading.current_thread().name, flush=True))
ready = threading.Event()
masks = []
def serve(index):
    masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, []))
    ready.set()
    threading.Event().wait()
_worker.start_threads(serve, 1)
ready.wait()
assert signal.SIGUSR1 in masks[0] and signal.SIGSEGV not in masks[0]
assert signal.SIGUSR1 not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
os.kill(os.getpid(), signal.SIGUSR1)
assert os.read(reader, 1) == bytes([signal.SIGUSR1])
""",
        tmp_path,
    )
    assert (result.returncode, result.stdout) == (7, "MainThread\n"), result.stderr


def test_signal_handlers(tmp_path: Path) -> None:
    """TERM drains, the terminal's signals are the supervisor's, and the application's own handlers stay."""
    result = run(
        """
import signal
signal.signal(signal.SIGHUP, lambda number, frame: print("own", flush=True))
_worker.install_signal_handlers(lambda: print("drain", flush=True))
for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
    os.kill(os.getpid(), number)
""",
        tmp_path,
    )
    assert (result.returncode, result.stdout) == (7, "own\ndrain\n"), result.stderr


def test_exit_handlers_run_in_order(tmp_path: Path) -> None:
    """Own threads and executors are waited for, atexit runs, and buffered output is written."""
    result = run(
        """
import atexit, logging, logging.handlers, threading, time
from concurrent.futures import ThreadPoolExecutor
target = logging.StreamHandler(sys.stdout)
memory = logging.handlers.MemoryHandler(100, target=target)
logging.getLogger().addHandler(memory)
atexit.register(print, "atexit")
ThreadPoolExecutor().submit(lambda: (time.sleep(0.05), print("executor")))
threading.Thread(target=lambda: (time.sleep(0.2), print("thread"))).start()
logging.warning("buffered record")
_worker.run_exit_handlers()
""",
        tmp_path,
    )
    assert result.returncode == 7, result.stderr
    assert result.stdout.split("\n") == ["executor", "thread", "atexit", "buffered record", ""]


def test_exit_handler_that_raises(tmp_path: Path) -> None:
    """The others still run."""
    result = run(
        """
import atexit
atexit.register(print, "the other one")
atexit.register(lambda: 1 / 0)
_worker.run_exit_handlers()
""",
        tmp_path,
    )
    assert (result.returncode, result.stdout) == (7, "the other one\n")
    assert "ZeroDivisionError" in result.stderr


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import atexit, time\natexit.register(time.sleep, 60)", "_run_exitfuncs"),
        (
            "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), name='poller').start()",
            "poller",
        ),
    ],
)
def test_exit_handlers_are_bounded(program: str, said: str, tmp_path: Path) -> None:
    """What does not end is named, and the process ends all the same."""
    result = run(f"{program}\nprint('buffered')\n_worker.run_exit_handlers(0.2)", tmp_path)
    assert result.returncode == 0
    assert result.stdout == "buffered\n"
    assert "not finished after 0.2 s" in result.stderr
    assert said in result.stderr


def test_output_is_line_buffered(tmp_path: Path) -> None:
    """A line printed by the application is written at once, even to a pipe."""
    (tmp_path / "app.py").write_text("def app(environ, start_response):\n    print('asked')\n    return []\n")
    result = run("application, name = _worker.boot(None, None, [], [])\napplication({}, None)", tmp_path)
    assert (result.returncode, result.stdout) == (7, "asked\n"), result.stderr


def test_symlinked_directory_stays_one(tmp_path: Path) -> None:
    """A deployment that switches a symlink is imported by the path that it was named by."""
    (tmp_path / "release-1").mkdir()
    (tmp_path / "release-1" / "app.py").write_text("def app(environ, start_response):\n    return []\n")
    current = tmp_path / "current"
    current.symlink_to("release-1")
    result = run(f"_worker.boot('app', {str(current)!r}, [], [])\nimport app\nprint(app.__file__)", tmp_path)
    assert result.stdout == f"{current}/app.py\n", result.stderr


def test_environment_and_time_zone(tmp_path: Path) -> None:
    """Variables are there when the application is imported, TZ with its effect."""
    (tmp_path / "app.py").write_text(
        "import time\n\nHOUR = time.localtime(0).tm_hour\n\n\ndef app(environ, start):\n    return []\n"
    )
    result = run("_worker.boot('app', None, [], [('TZ', 'UTC-5')])\nimport app\nprint(app.HOUR)", tmp_path)
    assert result.stdout == "5\n", result.stderr
