"""--log-file: lines are added, USR1 begins a new file, and no line is lost or torn on the way."""

from __future__ import annotations

import re
import signal
import threading
from typing import TYPE_CHECKING

from tests.address import Address
from tests.hosts.conftest import REACHABLE
from tests.hosts.waiting import wait_until
from tests.server import Server, run
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

APP = "plain:application"
REQUESTS = 4_000
CLIENTS = 4


def started(*arguments: str, wrapper: list[str] | None = None) -> Server:
    """A server that says nothing on its standard streams."""
    return Server(APP, *arguments, wrapper=wrapper or [])


def ready(log: Path) -> bool:
    return log.exists() and "ready after" in log.read_text()


def port_in(log: Path) -> int:
    found = re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text())
    assert found
    return int(found[1])


def rotate(server: Server, log: Path, number: int) -> Path:
    """What logrotate does; waits until the new file is begun."""
    moved = log.with_name(f"log.{number}")
    log.rename(moved)
    server.send(signal.SIGUSR1)
    wait_until(lambda: log.exists() and "opened again" in log.read_text(), "a new file")
    return moved


def test_no_line_is_lost_or_torn_while_files_are_exchanged(tmp_path: Path) -> None:
    log = tmp_path / "log"
    arguments = ["--log-file", str(log), "--access-log", "on", "--workers", "2", "--bind", "127.0.0.1:0"]
    with started(*arguments) as server:
        wait_until(lambda: ready(log), "ready", 20)
        server.addresses.append(Address(host="127.0.0.1", port=port_in(log)))

        def ask(client: int) -> None:
            with Connection(server.address) as connection:
                for number in range(REQUESTS // CLIENTS):
                    connection.send(http_request(target=f"/hello?{client}-{number}-end"))
                    assert connection.read_response().status == 200

        threads = [threading.Thread(target=ask, args=(client,)) for client in range(CLIENTS)]
        for thread in threads:
            thread.start()
        files = [rotate(server, log, number) for number in range(5)]
        for thread in threads:
            thread.join()
        assert server.stop() == 0
    text = "".join(file.read_text() for file in [*files, log])
    told = re.findall(r"/hello\?(\d+-\d+)-end", text)
    assert len(told) == REQUESTS
    assert len(set(told)) == REQUESTS
    for line in text.splitlines():
        assert re.match(r"(\d{4}-\d\d-\d\d|    )|.*/hello\?", line), line
        assert line.count("/hello?") <= 1, line
    assert not server.log.find("hello")


def test_workers_of_another_user_get_the_new_file_too(tmp_path: Path) -> None:
    log = tmp_path / "log"
    arguments = ["--log-file", str(log), "--access-log", "on", "--bind", "127.0.0.1:0", "--user", "www-data"]
    with started(*arguments, wrapper=REACHABLE) as server:
        wait_until(lambda: ready(log), "ready", 20)
        address = Address(host="127.0.0.1", port=port_in(log))
        rotate(server, log, 1)
        assert exchange(address, http_request(target="/hello?after")).status == 200
        wait_until(lambda: "/hello?after" in log.read_text(), "a line of the worker in the new file")


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    refused = run(APP, "--bind", "127.0.0.1:0", "--log-file", str(tmp_path / "missing" / "log"))
    assert refused.returncode == 1
    assert "--log-file" in refused.stderr


def test_a_directory_that_is_gone_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs" / "log"
    with started("--log-file", str(log), "--bind", "127.0.0.1:0") as server:
        wait_until(lambda: ready(log), "ready", 20)
        (tmp_path / "logs").rename(tmp_path / "moved")
        server.send(signal.SIGUSR1)
        moved = tmp_path / "moved" / "log"
        wait_until(lambda: "writing on to the old one" in moved.read_text(), "a complaint")
        assert server.stop() == 0
        assert "stopped" in moved.read_text()


def test_a_template_that_was_a_worker_takes_the_new_file_as_well(tmp_path: Path) -> None:
    """Workers that it forks later write where it does."""
    log = tmp_path / "log"
    words = ["--log-file", str(log), "--access-log", "on", "--preload", "--refork-after", "3"]
    with started(*words, "--bind", "127.0.0.1:0") as server:
        wait_until(lambda: ready(log), "ready", 20)
        address = Address(host="127.0.0.1", port=port_in(log))
        for _ in range(5):
            exchange(address, http_request(target="/"))
        wait_until(lambda: "all workers are forks of the new template" in log.read_text(), "the refork", 20)
        moved = rotate(server, log, 1)
        exchange(address, http_request(target="/before"))
        wait_until(lambda: "/before" in log.read_text(), "the old worker writes there")
        server.send(signal.SIGTTIN)
        wait_until(lambda: len(server.worker_pids()) == 3, "a new worker")
        for _ in range(20):
            exchange(address, http_request(target="/after"))
        wait_until(lambda: log.read_text().count("/after") == 20, "both workers write there")
        assert "/after" not in moved.read_text()
