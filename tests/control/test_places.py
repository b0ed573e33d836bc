"""Where commands look for servers. Each test has a /run and a directory for temporary files of its own."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.server import APPS, Server, command, environment
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APP = "plain:application"
FREE = ("--bind", "127.0.0.1:0")


class Host:
    """A mount namespace in which servers and commands run."""

    def __init__(self, temporary: Path, options: str = "mode=755") -> None:
        self.env = {"TMPDIR": str(temporary), "XDG_RUNTIME_DIR": ""}
        script = f"mount -t tmpfs -o {options} tmpfs /run && echo && exec sleep 600"
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", script], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
        )
        assert self.holder.stdout is not None
        assert self.holder.stdout.readline() == b"\n"

    @property
    def enter(self) -> list[str]:
        """What makes a command run there."""
        return self.enter_from(APPS)

    def enter_from(self, directory: Path) -> list[str]:
        """The same, from another directory."""
        return ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", f"--wdns={directory}"]

    def serve(self, *arguments: str) -> Server:
        """A server there."""
        return Server.start(APP, *FREE, *arguments, env=self.env, wrapper=self.enter)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command there."""
        return subprocess.run(
            [*self.enter, *command(), *words],
            env=environment(self.env),
            capture_output=True,
            text=True,
            check=False,
            timeout=60.0,
        )

    def close(self) -> None:
        """Ends it."""
        self.holder.kill()
        self.holder.communicate()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A namespace that ends with the test."""
    made = Host(tmp_path)
    yield made
    made.close()


def test_the_only_server_is_found(host: Host) -> None:
    with host.serve() as server:
        assert json.loads(host.run("status", "--json").stdout)["pid"] == server.pid
        listed = subprocess.run(
            [*host.enter, "ls", "/run/tapster"], capture_output=True, text=True, check=True
        )
        assert listed.stdout == f"{server.pid}.sock\n"
        assert host.run("stop").stdout == f"stopped: pid {server.pid}\n"
    listed = subprocess.run([*host.enter, "ls", "/run/tapster"], capture_output=True, text=True, check=True)
    assert listed.stdout == ""


def test_a_server_with_a_path_of_its_own_is_found_too(host: Host, tmp_path: Path) -> None:
    with host.serve("--control-socket", str(tmp_path / "mine.sock")) as server:
        assert host.run("status").stdout.startswith("tapster ")
        assert (tmp_path / "mine.sock").is_socket()
        assert host.run("health", "--pid", str(server.pid)).stdout == "live\n"


def test_without_a_server_it_is_said_where_was_looked(host: Host) -> None:
    done = host.run("status")
    assert done.returncode == 1
    assert "no server of this user is found in /run/tapster, " in done.stderr
    assert "--control-socket PATH" in done.stderr


def test_several_servers_are_listed_and_one_can_be_chosen(host: Host) -> None:
    with host.serve() as one, host.serve() as other:
        done = host.run("reload")
        assert done.returncode == 1
        assert "several servers run; choose one with --pid PID:" in done.stderr
        for server in (one, other):
            assert f"--pid {server.pid}  {APP}  {server.address}" in done.stderr
        assert host.run("reload", "--pid", str(one.pid)).returncode == 0
        one.log.wait_for("reloaded in")
        assert not other.log.find("reloading|reloaded")
        unknown = host.run("stop", "--pid", "1")
        assert (unknown.returncode, "with pid 1 " in unknown.stderr) == (1, True)


def test_what_a_killed_server_left_is_passed_over_and_removed(host: Host) -> None:
    with host.serve() as dead:
        dead.process.kill()
        dead.wait()
    assert host.run("status").returncode == 1
    with host.serve() as server:
        assert json.loads(host.run("status", "--json").stdout)["pid"] == server.pid
        listed = subprocess.run(
            [*host.enter, "ls", "/run/tapster"], capture_output=True, text=True, check=True
        )
        assert listed.stdout == f"{server.pid}.sock\n"


def test_a_read_only_system_is_served_without_a_socket(tmp_path: Path) -> None:
    host = Host(tmp_path / "absent", "ro")
    try:
        with host.serve() as server:
            server.log.wait_for(
                r"\[info\] no control socket, so tapster status.*/run/tapster: .*[Rr]ead-only"
            )
            assert exchange(server.address, http_request(target="/hello")).status == 200
            assert host.run("status").returncode == 1
    finally:
        host.close()


def test_a_read_only_run_leaves_the_directory_for_temporary_files(tmp_path: Path) -> None:
    host = Host(tmp_path, "ro")
    try:
        with host.serve() as server:
            place = tmp_path / "tapster-0"
            assert place.stat().st_mode & 0o777 == 0o700
            assert (place / f"{server.pid}.sock").is_socket()
            assert host.run("health", "--ready").stdout == "ready\n"
    finally:
        host.close()
