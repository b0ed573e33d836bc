"""A new server takes over: no request fails, and code and options are new."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.address import Address
from tests.hosts.waiting import wait_until
from tests.load import Load
from tests.process.conftest import Project
from tests.server import wait_gone
from tests.upgrade.conftest import HELD
from tests.upgrade.generations import Generations, version
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve
    from tests.process.conftest import Gates
    from tests.upgrade.conftest import Start


def upgrade_under_load(start: Start, project: Project, times: int, connections: int, *options: str) -> None:
    server = start("--workers", "2", *options)
    address = server.server.address
    with Load(address, connections, new=1) as load:
        for number in range(2, times + 2):
            project.write(str(number))
            server.upgrade()
            assert version(address) == str(number)
            load.wait_for(20)
    assert load.tally.failures == []


def test_ten_in_a_row_under_load(start: Start, project: Project) -> None:
    upgrade_under_load(start, project, 10, 8)


@pytest.mark.parametrize(
    "options", [["--preload"], ["--preload", "--refork-after", "50"]], ids=["preload", "refork"]
)
def test_with_a_template_under_load(start: Start, project: Project, options: list[str]) -> None:
    upgrade_under_load(start, project, 3, 8, *options)


@pytest.mark.long
def test_thirty_under_heavy_load(start: Start, project: Project) -> None:
    upgrade_under_load(start, project, 30, 64)


def test_nothing_piles_up(start: Start, project: Project) -> None:
    """Descriptors, processes, variables: the third server has what the first had."""
    project.write(
        "1",
        # What every server of the tests is started with, and nothing of ours besides.
        before="import os\nfound = [name for name in os.environ if name.startswith('TAPSTER')]\n"
        "assert found == ['TAPSTER_LOG_REPEATS']",
    )
    server = start("--workers", "2")
    first = server.descriptors(), len(server.workers())
    server.upgrade()
    server.upgrade()
    # What is closed with the end of the old server may be so a moment after the log says that it is gone.
    wait_until(lambda: (server.descriptors(), len(server.workers())) == first, f"{first}")


def new_client(server: Generations) -> int:
    """The worker that answers a new connection."""
    return int(exchange(server.server.address, http_request(target="/pid")).body)


def test_a_request_inside_finishes_on_the_old_server(start: Start, gates: Gates) -> None:
    server = start()
    old = server.pid
    with Connection(server.server.address) as connection:
        connection.send(http_request(target="/gate?name=old"))
        worker = gates.wait_inside("old")
        mark = server.log.mark()
        server.send(signal.SIGUSR2)
        server.log.wait_for(f"has taken over from pid {old}", mark, 30.0)
        wait_until(lambda: new_client(server) != worker, "new clients reach the new server")
        gates.open("old")
        assert connection.read_response().body == b"opened old"
    server.follow(mark)
    wait_gone([worker], 20.0)


def test_options_that_changed_take_effect(start: Start, project: Project, tmp_path: Path) -> None:
    """Addresses come and go, and the number of workers changes; the address that stays is never closed."""
    configuration = project.directory / "tapster.toml"
    leaving, coming = tmp_path / "leaving.sock", tmp_path / "coming.sock"
    configuration.write_text(f'bind = ["127.0.0.1:0", "unix:{leaving}"]\nworkers = 1\n')
    server = start()
    address, closing = server.server.address, server.server.unix
    with Load(address) as load:
        configuration.write_text(f'bind = ["unix:{coming}", "127.0.0.1:0"]\nworkers = 2\n')
        server.upgrade()
        assert len(server.workers()) == 2
        load.wait_for(20)
    assert load.tally.failures == []
    assert not leaving.exists()
    with pytest.raises(OSError, match=r"No such file|refused"):
        closing.connect()
    assert version(Address(path=str(coming))) == "1"
    server.stop()
    assert not coming.exists()


def test_a_new_release_behind_a_symlink(serve: Serve, tmp_path: Path, gates: Gates) -> None:
    releases = {name: tmp_path / name for name in ("one", "two")}
    for name, directory in releases.items():
        Project(directory).write(name)
    current = tmp_path / "current"
    current.symlink_to(releases["one"])
    server = Generations(serve("versioned:app", cwd=current, env={**gates.env, "PWD": str(current)}))
    assert version(server.server.address) == "one"
    current.unlink()
    current.symlink_to(releases["two"])
    server.upgrade()
    assert version(server.server.address) == "two"
    # What cannot be entered is no reason to stop serving.
    current.unlink()
    server.fail("cannot change to .*current")
    assert version(server.server.address) == "two"


def test_a_unix_socket_stays(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    server = start("--bind", f"unix:{path}")
    inode = path.stat().st_ino
    with Load(server.server.unix) as load:
        for _ in range(2):
            server.upgrade()
            assert path.stat().st_ino == inode
            load.wait_for(20)
    assert load.tally.failures == []
    server.stop()
    assert not path.exists()


def test_a_unix_socket_whose_file_is_gone_is_made_again(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    server = start("--bind", f"unix:{path}")
    path.unlink()
    server.upgrade()
    assert version(server.server.unix) == "1"
    server.stop()
    assert not path.exists()


def test_balancers_need_not_notice(start: Start) -> None:
    """`--drain-delay` is for servers that nobody follows."""
    server = start("--drain-delay", "20s")
    server.upgrade(timeout=15.0)
    assert version(server.server.address) == "1"
    mark = server.log.mark()
    server.send(signal.SIGTERM)
    server.log.wait_for("accepting for 20 s more", mark)
    server.send(signal.SIGTERM)
    wait_gone([server.pid], 15.0)


def test_a_second_order_is_folded_in(start: Start, project: Project, gates: Gates) -> None:
    server = start()
    old = server.pid
    mark = server.log.mark()
    project.write("2", before=HELD)
    server.send(signal.SIGUSR2)
    gates.wait_inside("import")
    for _ in range(2):
        server.send(signal.SIGUSR2)
    server.log.wait_for("upgrading once more after", mark)
    project.write("3")
    gates.open("import")
    first = server.follow(mark)
    assert server.follow(mark) not in (old, first)
    assert version(server.server.address) == "3"
    assert len(server.log.find("upgrading: pid", mark)) == 2
