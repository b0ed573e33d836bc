"""Health checks: answered by the supervisor, whatever the application does."""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.address import Address, addresses_in
from tests.server import Server, run
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve
    from tests.process.conftest import Gates, Project

ADMIN = ("--admin-bind", "127.0.0.1:0")


def admin_of(server: Server) -> Address:
    """Where its health checks are answered."""
    return addresses_in(server.log.wait_for(r"health checks at .*").group())[0]


def probe(address: Address, path: str, method: str = "GET") -> tuple[int, bytes]:
    """Status and body."""
    response = exchange(address, http_request(method, f"/-/{path}"))
    return response.status, response.body


def wait_for(address: Address, path: str, status: int, timeout: float = 40.0) -> None:
    """Waits until a probe has this status."""
    deadline = time.monotonic() + timeout
    while probe(address, path)[0] != status:
        assert time.monotonic() < deadline, f"{path} is never {status}"
        time.sleep(0.02)


def test_a_server_that_serves_is_live_started_and_ready(serve: Serve) -> None:
    admin = admin_of(serve("plain:application", *ADMIN))
    assert probe(admin, "live") == (200, b"live\n")
    assert probe(admin, "startup") == (200, b"started\n")
    assert probe(admin, "ready") == (200, b"ready\n")
    assert probe(admin, "nothing")[0] == 404
    assert probe(admin, "ready", "POST")[0] == 405
    with Connection(admin) as connection:
        connection.send(b"HEAD /-/ready HTTP/1.1\r\nHost: a\r\n\r\n")
        data = connection.read_to_end()
    assert data.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Length: 6\r\n" in data
    assert data.endswith(b"\r\n\r\n")


def test_probes_say_no_until_a_worker_serves(project: Project) -> None:
    project.write("1", before="import time\nwhile not __import__('os').path.exists('go'): time.sleep(0.01)")
    with Server("versioned:app", "--bind", "127.0.0.1:0", *ADMIN, cwd=project.directory) as server:
        admin = admin_of(server)
        assert [probe(admin, path)[0] for path in ("live", "startup", "ready")] == [200, 503, 503]
        (project.directory / "go").touch()
        wait_for(admin, "startup", 200)
        wait_for(admin, "ready", 200)


def test_probes_answer_while_every_thread_is_stuck(serve: Serve, gates: Gates) -> None:
    server = serve("steps:application", *ADMIN, "--threads", "2", env=gates.env)
    admin = admin_of(server)
    with ExitStack() as stack:
        for name in ("one", "two"):
            connection = stack.enter_context(Connection(server.address))
            connection.send(http_request(target=f"/gate?name={name}"))
            gates.wait_inside(name)
        assert probe(admin, "live") == (200, b"live\n")
        assert probe(admin, "ready") == (200, b"ready\n")
        gates.open("one")
        gates.open("two")


def test_probes_answer_while_the_interpreter_is_held(serve: Serve, gates: Gates) -> None:
    server = serve("steps:application", *ADMIN, env=gates.env)
    admin = admin_of(server)
    with Connection(server.address) as connection:
        connection.send(http_request(target="/hold?seconds=2&name=held"))
        gates.wait_inside("held")
        for _ in range(20):
            assert probe(admin, "live") == (200, b"live\n")
        assert connection.read_response().status == 200


def test_a_stopping_server_is_live_and_not_ready(serve: Serve, gates: Gates) -> None:
    server = serve("steps:application", *ADMIN, env=gates.env)
    admin = admin_of(server)
    with Connection(server.address) as connection:
        connection.send(http_request(target="/gate?name=last"))
        gates.wait_inside("last")
        server.send(signal.SIGTERM)
        wait_for(admin, "ready", 503)
        assert probe(admin, "live")[0] == 200
        assert probe(admin, "startup")[0] == 200
        gates.open("last")
        assert connection.read_response().status == 200
    assert server.wait() == 0


def test_without_workers_a_server_is_not_ready(serve: Serve, project: Project) -> None:
    server = serve("versioned:app", *ADMIN, cwd=project.directory)
    server.allow("planned")
    admin = admin_of(server)
    project.replace("raise RuntimeError('planned')\n")
    for pid in server.worker_pids():
        os.kill(pid, signal.SIGKILL)
    wait_for(admin, "ready", 503)
    assert probe(admin, "live")[0] == 200
    project.write("2")
    wait_for(admin, "ready", 200)


def test_it_listens_on_a_unix_socket_too_and_the_command_finds_it(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    server = serve("plain:application", "--admin-bind", f"unix:{path}", "--control-socket", "off")
    assert probe(Address(path=str(path)), "ready") == (200, b"ready\n")
    where = ("--control-socket", "off", "--admin-bind", f"unix:{path}")
    assert run("health", "--ready", *where).stdout == "ready\n"
    assert server.stop() == 0
    assert not path.exists()
    gone = run("health", *where)
    assert (gone.returncode, "does not answer" in gone.stderr) == (1, True)


def test_the_command_asks_a_tcp_listener(serve: Serve) -> None:
    admin = admin_of(serve("plain:application", *ADMIN, "--control-socket", "off"))
    done = run("health", "--control-socket", "off", "--admin-bind", f":{admin.port}")
    assert (done.returncode, done.stdout) == (0, "live\n")


def test_an_address_in_use_names_the_option() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("plain:application", "--bind", "127.0.0.1:0", "--admin-bind", f"127.0.0.1:{port}")
    assert done.returncode == 1
    assert f"--admin-bind: cannot listen on 127.0.0.1:{port}: already in use" in done.stderr


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /-/live HTTP/1.1\r\n\r\n", 400),
        (b"GET /-/live HTTP/1.1\nHost: a\n\n", 400),
        (b"GET /-/live HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 413),
        (b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\n", 414),
        (b"\0\1\2\3" * 10 + b"\r\n", 400),
    ],
    ids=["no-host", "bare-lf", "body", "long", "binary"],
)
def test_what_is_no_probe_is_refused(serve: Serve, head: bytes, status: int) -> None:
    assert exchange(admin_of(serve("plain:application", *ADMIN)), head).status == status


def test_silent_clients_keep_nobody_out(serve: Serve) -> None:
    server = serve("plain:application", *ADMIN)
    admin = admin_of(server)
    with ExitStack() as stack:
        for _ in range(150):
            stack.enter_context(admin.connect()).send(b"GET /-/li")
        assert probe(admin, "live") == (200, b"live\n")
        assert exchange(server.address, http_request(target="/hello")).status == 200
