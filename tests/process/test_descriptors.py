"""What workers and their children hold open: nothing of the supervisor's, nothing of each other's."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from tests.conftest import Serve

APP = "steps:application"
WRITING = os.O_WRONLY | os.O_RDWR


def descriptors(pid: int) -> dict[int, str]:
    """What each descriptor of a process refers to; standard streams left out."""
    found: dict[int, str] = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        with suppress(FileNotFoundError):
            found[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
    return {number: target for number, target in found.items() if number > 2}


def pipes_for_writing(pid: int) -> set[str]:
    found: set[str] = set()
    for number, target in descriptors(pid).items():
        if target.startswith("pipe:"):
            flags = re.search(r"flags:\s*(\d+)", Path(f"/proc/{pid}/fdinfo/{number}").read_text())
            if flags and int(flags[1], 8) & WRITING:
                found.add(target)
    return found


def listening_sockets() -> set[str]:
    """By inode: of TCP in state 0A, of unix with the flag that says so."""
    tcp = [line.split() for name in ("tcp", "tcp6") for line in lines_of(name)]
    unix = [line.split() for line in lines_of("unix")]
    inodes = [row[9] for row in tcp if row[3] == "0A"] + [row[6] for row in unix if row[3] == "00010000"]
    return {f"socket:[{inode}]" for inode in inodes}


def lines_of(name: str) -> list[str]:
    path = Path(f"/proc/net/{name}")
    return path.read_text().splitlines()[1:] if path.exists() else []


def inboxes(pid: int) -> set[str]:
    """Sockets that do not listen."""
    return {found for found in descriptors(pid).values() if found.startswith("socket:")} - listening_sockets()


def test_a_worker_holds_its_inbox_and_the_way_to_its_peers(serve: Serve) -> None:
    """One end of each inbox: of its own the reading one, which nobody else has, and never both."""
    server = serve(APP, "--workers", "3")
    held = {pid: inboxes(pid) for pid in server.worker_pids()}
    both_ends = inboxes(server.pid)
    for pid, own in held.items():
        others = set[str]().union(*(found for other, found in held.items() if other != pid))
        assert len(own - others) == 1, f"worker {pid}"
        assert len(own) == len(both_ends) / 2, f"worker {pid}"
        assert own <= both_ends


def test_only_the_supervisor_can_keep_the_alive_pipe_open(serve: Serve) -> None:
    """A worker that held the write end would never learn that the supervisor died."""
    server = serve(APP, "--workers", "3")
    written = pipes_for_writing(server.pid)
    for pid in server.worker_pids():
        assert pipes_for_writing(pid) & written == set(), f"worker {pid}"


def test_children_of_the_application_inherit_the_standard_streams_alone(serve: Serve) -> None:
    server = serve(APP)
    with Connection(server.address) as bystander:
        bystander.send(http_request(target="/pid"))
        bystander.read_response()
        found = exchange(server.address, http_request(target="/child-descriptors")).body.split()
    assert {int(number) for number in found} <= {0, 1, 2, 3}, "3 is the listing's own"


def test_connections_leave_no_descriptor_behind(serve: Serve) -> None:
    server = serve(APP, "--threads", "2")
    exchange(server.address, http_request(target="/pid"))
    (worker,) = server.worker_pids()
    before = len(descriptors(worker))
    for number in range(300):
        with Connection(server.address) as connection:
            connection.send(http_request(target="/pid"))
            if number % 3:
                connection.read_response()
            if number % 2:
                connection.reset()
    exchange(server.address, http_request("POST", "/echo", body=b"x" * 1_000_000))
    for _ in range(200):
        exchange(server.address, http_request(target="/pid", fields={"Connection": "close"}))
        if len(descriptors(worker)) <= before + 2:
            return
    raise AssertionError(f"{before} descriptors before, {len(descriptors(worker))} after")
