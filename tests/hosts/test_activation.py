"""systemd's socket activation: sockets that somebody else opened are served, and outlive the server."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.address import Address
from tests.hosts.waiting import wait_until
from tests.process.test_descriptors import descriptors
from tests.server import Server, wait_gone
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator

APP = "steps:application"


def tcp_socket() -> socket.socket:
    made = socket.socket()
    made.bind(("127.0.0.1", 0))
    made.listen(64)
    return made


def address_of(listener: socket.socket) -> Address:
    host, port = listener.getsockname()
    return Address(host=host, port=port)


def answers(address: Address) -> bool:
    return exchange(address, http_request(target="/pid")).status == 200


def start(
    names: str, sockets: list[socket.socket], *arguments: str, env: dict[str, str] | None = None
) -> Server:
    """A server that was started with these sockets; not awaited."""
    numbers = [one.fileno() for one in sockets]
    program = Path(__file__).with_name("pass_sockets.py")
    wrapper = [sys.executable, str(program), names, ",".join(map(str, numbers))]
    return Server(APP, *arguments, env=env, pass_fds=numbers, wrapper=wrapper)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with tcp_socket() as made:
        yield made


@pytest.fixture
def other() -> Iterator[socket.socket]:
    with tcp_socket() as made:
        yield made


@pytest.mark.parametrize("env", [{}, {"PORT": "1"}], ids=["alone", "with-PORT"])
def test_without_a_bind_they_are_all_there_is(
    listener: socket.socket, other: socket.socket, env: dict[str, str]
) -> None:
    with start("", [listener, other], env=env) as server:
        server.wait_ready()
        assert server.addresses == [address_of(listener), address_of(other)]
        assert answers(address_of(listener))
        assert answers(address_of(other))
        assert server.stop() == 0


def test_names_and_numbers_choose(listener: socket.socket, other: socket.socket) -> None:
    with start("web:admin", [listener, other], "--bind", "fd://admin") as server:
        server.wait_ready()
        assert server.addresses == [address_of(other)]
        assert server.log.find(f"no --bind names, {address_of(listener)}")
    with start("web:admin", [listener, other], "--bind", "fd://4,fd://web") as server:
        server.wait_ready()
        assert server.addresses == [address_of(other), address_of(listener)]
        assert not server.log.find("no --bind names")


def test_an_address_that_was_opened_already_is_taken_over(listener: socket.socket, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "s"))
        unix.listen(64)
        binds = ["--bind", f"127.0.0.1:0,{address_of(listener)}", "--bind", f"unix:{tmp_path}/s"]
        with start("", [unix, listener], *binds) as server:
            server.wait_ready()
            assert len(server.addresses) == 3
            assert all(answers(address) for address in server.addresses)
            assert server.stop() == 0
        assert (tmp_path / "s").exists(), "the file is the service manager's"


def test_a_name_that_was_not_passed_is_refused(listener: socket.socket) -> None:
    with start("web", [listener], "--bind", "fd://wbe") as server:
        assert server.wait() == 1
        server.log.wait_for("fd://wbe.*there is web")


def test_sockets_of_another_process_are_not_touched(listener: socket.socket) -> None:
    number = listener.fileno()
    env = {"LISTEN_PID": "1", "LISTEN_FDS": str(number - 2)}
    with Server.start(APP, env=env, pass_fds=[number]) as server:
        assert server.address != address_of(listener)


def test_clients_wait_while_the_server_is_restarted(listener: socket.socket) -> None:
    """The queue belongs to the service manager: not even kill -9 loses a connection that was not accepted."""
    with start("web", [listener]) as first:
        first.wait_ready()
        assert answers(address_of(listener))
        workers = first.worker_pids()
        first.send(signal.SIGKILL)
        first.wait()
        wait_gone(workers, 20.0)
    with Connection(address_of(listener)) as connection:
        connection.send(http_request(target="/pid"))
        with start("web", [listener]) as second:
            second.wait_ready()
            assert connection.read_response().status == 200


def test_a_child_of_the_application_keeps_none(listener: socket.socket) -> None:
    with start("web", [listener]) as server:
        server.wait_ready()
        child = int(exchange(address_of(listener), http_request(target="/fork?seconds=20")).body)
        inode = f"socket:[{os.fstat(listener.fileno()).st_ino}]"
        try:
            wait_until(lambda: inode not in descriptors(child).values(), "the child has let go of the socket")
        finally:
            os.kill(child, signal.SIGKILL)
