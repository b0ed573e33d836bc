"""--pidfile: names the server while it runs, and never the wrong one."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from tests.server import run
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve

APP = "steps:application"


def test_it_names_the_server_and_goes_with_it(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "tapster.pid"
    server = serve(APP, "--pidfile", str(path))
    assert path.read_text() == f"{server.pid}\n"
    assert path.stat().st_mode & 0o777 == 0o644
    assert [file.name for file in tmp_path.iterdir()] == ["tapster.pid"]
    assert server.stop() == 0
    assert not path.exists()


def test_a_server_that_runs_is_not_overwritten(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "tapster.pid"
    server = serve(APP, "--pidfile", str(path))
    refused = run(APP, "--bind", "127.0.0.1:0", "--pidfile", str(path))
    assert refused.returncode == 1
    assert f"process {server.pid}" in refused.stderr
    assert "--pidfile" in refused.stderr
    assert path.read_text() == f"{server.pid}\n"
    assert exchange(server.address, http_request(target="/pid")).status == 200


def test_what_a_killed_server_left_is_replaced(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "tapster.pid"
    first = serve(APP, "--pidfile", str(path))
    first.send(signal.SIGKILL)
    first.wait()
    assert path.exists()
    second = serve(APP, "--pidfile", str(path))
    assert path.read_text() == f"{second.pid}\n"


def test_a_file_that_names_another_process_by_now_stays(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "tapster.pid"
    server = serve(APP, "--pidfile", str(path))
    path.write_text("1\n")
    assert server.stop() == 0
    assert path.read_text() == "1\n"


def test_a_place_that_cannot_be_written_refuses_the_start(tmp_path: Path) -> None:
    socket = tmp_path / "s"
    refused = run(APP, "--bind", f"unix:{socket}", "--pidfile", str(tmp_path / "missing" / "p"))
    assert refused.returncode == 1
    assert "--pidfile" in refused.stderr
    assert not socket.exists()
