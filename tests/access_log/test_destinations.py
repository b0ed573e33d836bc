"""Where lines about requests go: streams, files, syslog, datagrams, and Python's logging."""

from __future__ import annotations

import re
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from tests.access_log.asking import APP, ask, ask_together, lines_of, wait_until
from tests.address import Address
from tests.server import Server, run

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = ["--access-log-format", "%(method) %(uri)"]


@pytest.mark.parametrize(
    "words", [["--access-log", "-"], ["--access-logfile", "-"], ["--access-log", "stderr"]]
)
def test_streams(words: list[str]) -> None:
    with Server.start(APP, *words, *PLAIN) as server:
        mark = server.log.mark()
        ask(server.address, "/")
        server.log.wait_for("^GET /$", mark)


def test_a_file_of_its_own_is_exchanged_with_usr1_beside_the_log(tmp_path: Path) -> None:
    """Nothing of 3,000 requests is lost or torn, by two workers and a front."""
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "a.css").write_bytes(b"css")
    log, access = tmp_path / "log", tmp_path / "access.log"
    words = ["--log-file", str(log), "--access-log", str(access), "--static", f"/static={tmp_path}/public"]
    server = Server(APP, *words, *PLAIN, "--workers", "2", "--bind", "127.0.0.1:0")
    with server:
        wait_until(lambda: log.exists() and "ready after" in log.read_text(), "ready", 40)
        found = re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text())
        assert found
        address = Address(host="127.0.0.1", port=int(found[1]))
        files: list[Path] = []

        def targets(client: int) -> list[str]:
            return [f"/static/a.css?{client}-{n}" if n % 2 else f"/?{client}-{n}" for n in range(333)]

        for number in range(3):
            ask_together(address, 3, lambda client, round_=number: targets(client + 3 * round_))
            files.append(access.with_name(f"access.{number}"))
            access.rename(files[-1])
            server.send(signal.SIGUSR1)
            wait_until(access.exists, "a new file")
        assert server.stop() == 0
    text = "".join(file.read_text() for file in [*files, access])
    told = re.findall(r"^GET /(?:static/a\.css)?\?(\d+-\d+)$", text, re.M)
    assert len(told) == len(set(told)) == text.count("\n") == 9 * 333
    assert "GET" not in log.read_text()
    assert "the access log was opened again" in log.read_text()


def test_a_file_that_is_emptied_has_no_holes(tmp_path: Path) -> None:
    """As logrotate's copytruncate does."""
    path = tmp_path / "access.log"
    with Server.start(APP, "--access-log", str(path), *PLAIN) as server:
        ask(server.address, "/?1", "/?2")
        lines_of(path, 2)
        path.write_bytes(b"")
        ask(server.address, "/?3")
        assert lines_of(path, 1) == ["GET /?3"]


def test_a_unix_socket_gets_a_datagram_a_line(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as reader:
        reader.bind(str(tmp_path / "socket"))
        reader.settimeout(20)
        with Server.start(APP, "--access-log", f"unix:{tmp_path}/socket", *PLAIN) as server:
            ask(server.address, "/?1", "/?2")
            assert [reader.recv(4096), reader.recv(4096)] == [b"GET /?1", b"GET /?2"]


def test_a_syslog_of_this_host(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as reader:
        reader.bind(str(tmp_path / "log"))
        reader.settimeout(20)
        with Server.start(APP, "--access-log", f"syslog:{tmp_path}/log", *PLAIN) as server:
            ask(server.address, "/")
            assert re.fullmatch(rb"<30>tapster\[\d+\]: GET /", reader.recv(4096))


def test_a_syslog_on_the_network() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as reader:
        reader.bind(("127.0.0.1", 0))
        reader.settimeout(20)
        port = reader.getsockname()[1]
        with Server.start(APP, "--access-logfile", f"udp://127.0.0.1:{port}", *PLAIN) as server:
            ask(server.address, "/")
            message = reader.recv(4096).decode()
    assert re.fullmatch(r"<30>1 \d{4}-\d\d-\d\dT\S+Z \S+ tapster \d+ access - GET /", message), message


def test_python_logs_in_the_worker(tmp_path: Path) -> None:
    """Lines come by the application's own configuration, on a thread that answers no request, the last at the end too."""
    (tmp_path / "app.py").write_text(
        "import logging, sys, threading\n"
        "class Shown(logging.Handler):\n"
        "    def emit(self, record):\n"
        "        print(record.name, record.levelname, threading.current_thread().name, record.getMessage(), flush=True)\n"
        "        if 'raise' in record.getMessage():\n"
        "            raise RuntimeError('planned')\n"
        "logging.getLogger('tapster.access').addHandler(Shown())\n"
        "def app(environ, start_response):\n"
        "    start_response('200 OK', [])\n"
        "    return [b'']\n"
    )
    with Server.start("app:app", "--access-log", "python", *PLAIN, cwd=tmp_path) as server:
        mark = server.log.mark()
        ask(server.address, "/?1", "/?raise", "/?3")
        server.log.wait_for(r"^tapster.access INFO tapster-access-log GET /\?3$", mark)
        ask(server.address, "/?last")
        assert server.stop() == 0
        server.log.wait_for(r"GET /\?last", mark)


def test_a_front_alone_has_no_python() -> None:
    refused = run(
        "front", "--upstream", "http://127.0.0.1:1", "--access-log", "python", "--bind", "127.0.0.1:0"
    )
    assert refused.returncode == 2
    assert "tapster front has none" in refused.stderr


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    refused = run(APP, "--bind", "127.0.0.1:0", "--access-log", str(tmp_path / "missing" / "log"))
    assert refused.returncode == 1
    assert "--access-logfile" in refused.stderr


def test_a_word_is_a_mistake_and_no_file() -> None:
    refused = run(APP, "--access-log", "onn")
    assert refused.returncode == 2
    assert "auto, on or off" in refused.stderr
