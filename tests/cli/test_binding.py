"""Every form of `--bind`, the variable PORT, a port in use."""

from __future__ import annotations

import os
import re
import socket
import stat
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.address import Address
from tests.server import Server, run
from tests.wire import Response, exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve

APP = "plain:application"


def hello(address: Address) -> bytes:
    response: Response = exchange(address, http_request())
    return response.body


def needs_ipv6() -> None:
    with closing(socket.socket(socket.AF_INET6, socket.SOCK_STREAM)) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("not on this system: IPv6")


def free_port() -> int:
    """A port that was free a moment ago."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_ipv4(serve: Serve) -> None:
    server = serve(APP, "-b", "127.0.0.1:0")
    assert server.address.host == "127.0.0.1"
    assert server.address.port > 0
    assert hello(server.address) == b"hello"


def test_a_name(serve: Serve) -> None:
    assert hello(serve(APP, "--bind", "localhost:0").address) == b"hello"


def test_ipv6(serve: Serve) -> None:
    needs_ipv6()
    server = serve(APP, "--bind", "[::1]:0")
    assert server.address.host == "::1"
    assert hello(server.address) == b"hello"


def test_a_port_alone_is_every_address(serve: Serve) -> None:
    server = serve(APP, "--bind", ":0")
    port = server.address.port
    assert hello(Address(host="127.0.0.1", port=port)) == b"hello"
    needs_ipv6()
    assert hello(Address(host="::1", port=port)) == b"hello"


def test_a_unix_socket(serve: Serve, tmp_path: Path) -> None:
    server = serve(APP, "--bind", f"unix:{tmp_path}/s")
    assert hello(server.unix) == b"hello"
    assert stat.S_IMODE(os.stat(server.unix.path).st_mode) == 0o660


def test_the_mode_of_a_unix_socket(serve: Serve, tmp_path: Path) -> None:
    server = serve(APP, "--bind", f"unix:{tmp_path}/s", "--socket-mode", "0600")
    assert stat.S_IMODE(os.stat(server.unix.path).st_mode) == 0o600


def test_a_unix_socket_in_use_is_not_taken(serve: Serve, tmp_path: Path) -> None:
    server = serve(APP, "--bind", f"unix:{tmp_path}/s")
    ended = run(APP, "--bind", f"unix:{tmp_path}/s")
    assert ended.returncode == 1
    assert "in use" in ended.stderr
    assert hello(server.unix) == b"hello"


def test_a_file_that_is_no_socket_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("precious")
    ended = run(APP, "--bind", f"unix:{tmp_path}/s")
    assert ended.returncode == 1
    assert f"{tmp_path}/s" in ended.stderr
    assert (tmp_path / "s").read_text() == "precious"


def test_an_inherited_socket(serve: Serve) -> None:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        number = listener.fileno()
        server = serve(APP, "--bind", f"fd://{number}", pass_fds=[number])
        host, port = listener.getsockname()
        assert server.address == Address(host=host, port=port)
        assert hello(server.address) == b"hello"


def test_an_inherited_descriptor_that_is_no_listener() -> None:
    ended = run(APP, "--bind", "fd://77")
    assert ended.returncode == 1
    assert "77" in ended.stderr


def test_several_at_once(serve: Serve, tmp_path: Path) -> None:
    server = serve(APP, "--bind", "127.0.0.1:0", "--bind", f"127.0.0.2:0,unix:{tmp_path}/s")
    assert len(server.addresses) == 3
    assert len(set(server.addresses)) == 3
    assert [hello(address) for address in server.addresses] == [b"hello"] * 3


def test_the_variable_port() -> None:
    """As platforms set it: every IPv4 address."""
    port = free_port()
    with Server(APP, env={"PORT": str(port)}) as server:
        server.wait_ready()
        assert server.address == Address(host="0.0.0.0", port=port)
        assert hello(Address(host="127.0.0.1", port=port)) == b"hello"


def test_bind_wins_over_port(serve: Serve) -> None:
    server = serve(APP, "--bind", "127.0.0.1:0", env={"PORT": str(free_port())})
    assert server.address.host == "127.0.0.1"
    assert len(server.addresses) == 1


@pytest.mark.parametrize("value", ["http", "99999", "-1"])
def test_a_bad_port_variable_is_an_error(value: str) -> None:
    ended = run(APP, env={"PORT": value})
    assert ended.returncode == 2
    assert "PORT" in ended.stderr


def test_a_port_in_use_names_its_holder(serve: Serve) -> None:
    server = serve(APP)
    ended = run(APP, "--bind", str(server.address))
    assert ended.returncode == 1
    assert "in use" in ended.stderr
    assert re.search(rf"\b{server.pid}\b", ended.stderr), ended.stderr
    assert hello(server.address) == b"hello"


def test_all_or_none(tmp_path: Path, serve: Serve) -> None:
    """When one address is not to be had, no other is left behind."""
    server = serve(APP)
    ended = run(APP, "--bind", f"unix:{tmp_path}/s", "--bind", str(server.address))
    assert ended.returncode == 1
    assert not (tmp_path / "s").exists()


def test_an_address_of_another_machine() -> None:
    ended = run(APP, "--bind", "192.0.2.1:0")
    assert ended.returncode == 1
    assert "192.0.2.1" in ended.stderr


def test_a_unix_socket_where_none_can_be(tmp_path: Path) -> None:
    ended = run(APP, "--bind", f"unix:{tmp_path}/missing/s")
    assert ended.returncode == 1
    assert f"{tmp_path}/missing" in ended.stderr
