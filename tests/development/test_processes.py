"""The process that watches: apart from the supervisor, gone with it, and back when it ends."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from tests.development.conftest import STANDS_IN
from tests.development.test_saves import until_answered
from tests.preload.conftest import name_of
from tests.server import run, wait_gone
from tests.wire import Connection, http_request

if TYPE_CHECKING:
    from tests.development.conftest import Site


def watcher(site: Site) -> int:
    """The process that watches."""
    [found] = [pid for pid in site.running.worker_pids() if name_of(pid) == "tapster-watch"]
    return found


def test_the_supervisor_has_no_threads(site: Site) -> None:
    site.start()
    site.write("two")
    until_answered(site, "two")
    assert os.listdir(f"/proc/{site.running.pid}/task") == [str(site.running.pid)]
    # The watcher has no socket that a client could be stuck in.
    descriptors = Path(f"/proc/{watcher(site)}/fd")
    assert not [fd for fd in descriptors.iterdir() if "socket" in os.readlink(fd)]


def test_it_ends_with_the_supervisor(site: Site) -> None:
    server = site.start()
    pid = watcher(site)
    assert server.stop() == 0
    wait_gone([pid], 20.0)


def test_it_does_not_outlive_a_killed_supervisor(site: Site) -> None:
    server = site.start()
    pids = server.worker_pids()
    server.send(signal.SIGKILL)
    wait_gone(pids, 20.0)


def test_it_is_started_again(site: Site) -> None:
    server = site.start()
    for text in ("two", "three"):
        mark = site.mark()
        os.kill(watcher(site), signal.SIGKILL)
        site.wait_for("is started again", mark)
        site.wait_for("watching 1 file", mark)
        site.write(text)
        until_answered(site, text)
    assert server.stop() == 0


def test_a_request_of_before_is_ended_soon(site: Site) -> None:
    site.put("app.py", STREAM)
    site.start()
    with Connection(site.running.address, timeout=30.0) as stream:
        stream.send(http_request(target="/stream"))
        stream.read_head()
        assert stream.read_chunk() == b"tick\n"
        site.write("new")
        until_answered(site, "new")
        stream.socket.settimeout(30.0)
        while stream.socket.recv(65536):
            pass


def test_hup_reloads_too(site: Site) -> None:
    server = site.start()
    mark = site.mark()
    server.send(signal.SIGHUP)
    site.wait_for("reloaded in", mark)
    assert site.text() == "one"


def test_the_command_reload_waits_for_what_becomes_of_it(site: Site, tmp_path: Path) -> None:
    path = str(tmp_path / "control")
    site.start("app:app", "--control-socket", path)
    assert run("reload", "--control-socket", path, cwd=site.directory).returncode == 0
    mark = site.mark()
    site.put("app.py", "raise RuntimeError('planned')\n")
    site.wait_for(STANDS_IN, mark)
    ended = run("reload", "--control-socket", path, cwd=site.directory)
    assert ended.returncode != 0
    assert "RuntimeError: planned" in ended.stdout + ended.stderr


STREAM = """
import time


def app(environ, start_response):
    start_response("200 OK", [])
    if environ["PATH_INFO"] != "/stream":
        return [b"old"]
    return ticks()


def ticks():
    while True:
        yield b"tick\\n"
        time.sleep(0.05)
"""
