"""uWSGI's statistics: read by uwsgitop on a terminal, and by what uwsgi_exporter expects."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.address import Address
from tests.metrics.scrape import ADMIN, Scrape, admin_of
from tests.metrics.statistics import STATS, document, requests, stats_of
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Serve
    from tests.process.conftest import Gates
    from tests.server import Server

PATIENCE = 40.0

#: What uwsgi_exporter decodes: whole numbers and texts, for anything else it gives up.
FIELDS: dict[str, dict[str, type]] = {
    "": {
        "version": str,
        "listen_queue": int,
        "listen_queue_errors": int,
        "signal_queue": int,
        "load": int,
        "pid": int,
        "uid": int,
        "gid": int,
        "cwd": str,
        "locks": list,
        "sockets": list,
        "workers": list,
    },
    "sockets": {"name": str, "proto": str, "queue": int, "max_queue": int, "shared": int, "can_offload": int},
    "workers": {
        "id": int,
        "pid": int,
        "accepting": int,
        "requests": int,
        "delta_requests": int,
        "exceptions": int,
        "harakiri_count": int,
        "signals": int,
        "signal_queue": int,
        "status": str,
        "rss": int,
        "vsz": int,
        "running_time": int,
        "last_spawn": int,
        "respawn_count": int,
        "tx": int,
        "avg_rt": int,
        "apps": list,
        "cores": list,
    },
    "apps": {
        "id": int,
        "modifier1": int,
        "mountpoint": str,
        "startup_time": int,
        "requests": int,
        "exceptions": int,
        "chdir": str,
    },
    "cores": {
        "id": int,
        "requests": int,
        "static_requests": int,
        "routed_requests": int,
        "offloaded_requests": int,
        "write_errors": int,
        "read_errors": int,
        "in_request": int,
        "vars": list,
        "req_info": dict,
    },
}


def wait_for(server: Server, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Waits for statistics that are as they should be."""
    deadline = time.monotonic() + PATIENCE
    while not is_so(found := document(server)):
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def check(what: str, found: dict[str, Any]) -> None:
    """Exactly these members, of these types; and those of the lists in it."""
    assert {name: type(value) for name, value in found.items()} == FIELDS[what]
    for name, value in found.items():
        for member in value if name in FIELDS else ():
            check(name, member)


def test_the_document_is_what_exporters_decode(serve: Serve) -> None:
    server = serve("steps:application", *STATS, "--workers", "2", "--threads", "2")
    for target in ("/pid", "/pid", "/status?code=404"):
        exchange(server.address, http_request(target=target))
    found = wait_for(server, lambda found: requests(found) == 3)
    check("", found)
    assert found["pid"] == server.pid
    assert found["cwd"] == os.readlink(f"/proc/{server.pid}/cwd")
    assert [worker["pid"] for worker in found["workers"]] == server.worker_pids()
    for worker in found["workers"]:
        assert worker["status"] == "idle"
        assert worker["accepting"] == worker["respawn_count"] == 1
        assert worker["rss"] > 1 << 20
        assert abs(worker["last_spawn"] - time.time()) < 600
        assert sum(core["requests"] for core in worker["cores"]) == worker["requests"]
    assert sum(worker["tx"] for worker in found["workers"]) > 0
    assert found["sockets"][0]["name"] == f"{server.address.host}:{server.address.port}"


def test_what_a_core_runs_is_told(serve: Serve, gates: Gates) -> None:
    server = serve("steps:application", *STATS, env=gates.env)
    with Connection(server.address) as connection:
        connection.send(http_request(target="/gate?name=held"))
        gates.wait_inside("held")
        (worker,) = document(server)["workers"]
        (core,) = [core for core in worker["cores"] if core["in_request"]]
        gates.open("held")
        assert connection.read_response().status == 200
    assert worker["status"] == "busy"
    assert core["vars"] == ["REQUEST_METHOD=GET", "REQUEST_URI=/gate"]
    assert abs(core["req_info"]["request_start"] - time.time()) < 600


def test_it_speaks_http_where_that_is_asked_for(serve: Serve) -> None:
    server = serve("steps:application", *STATS, "--stats-http", "on")
    response = exchange(stats_of(server), http_request())
    assert response.status == 200
    assert response.get("content-type") == "application/json"
    check("", json.loads(response.body))


def test_who_does_not_read_keeps_nobody_from_it(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "stats.sock"
    server = serve("steps:application", "--stats", f"unix:{path}", "--threads", "64", "--workers", "4")
    deaf = [Address(path=str(path)).connect() for _ in range(40)]
    assert exchange(server.address, http_request(target="/pid")).status == 200
    check("", wait_for(server, lambda found: requests(found) == 1))
    for connection in deaf:
        connection.close()


def screen(server: Server, done: Callable[[str], bool]) -> str:
    """What uwsgitop shows on a terminal of 160 columns, as soon as that is enough."""
    address = stats_of(server)
    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    program = shutil.which("uwsgitop", path=path)
    assert program, "pip install -r tests/requirements.txt"
    process = subprocess.Popen(
        [sys.executable, program, f"{address.host}:{address.port}"],
        stdin=terminal,
        stdout=terminal,
        stderr=subprocess.STDOUT,
        env={**os.environ, "TERM": "linux"},
        start_new_session=True,
    )
    os.close(terminal)
    shown = b""
    deadline = time.monotonic() + PATIENCE
    try:
        while not done(text := shown.decode("latin-1")):
            assert time.monotonic() < deadline, text
            if select.select([main], [], [], 0.5)[0]:
                shown += os.read(main, 65536)
        os.write(main, b"q")
        process.wait(PATIENCE)
    finally:
        process.kill()
        process.wait()
        os.close(main)
    return text


@pytest.mark.skipif(sys.platform != "linux", reason="needs a terminal named linux")
def test_uwsgitop_shows_the_workers(serve: Serve) -> None:
    server = serve("steps:application", *STATS, "--workers", "2")
    for _ in range(7):
        assert exchange(server.address, http_request(target="/pid")).status == 200
    wait_for(server, lambda found: requests(found) == 7)
    pids = [str(pid) for pid in server.worker_pids()]

    def is_whole(text: str) -> bool:
        return "LastSpwn" in text and all(pid in text for pid in pids) and text.count("idle") >= 2

    text = screen(server, is_whole)
    assert "uwsgi-tapster-" in text
    assert "req: 7" in text
    assert f"masterpid: {server.pid}" in text


def test_metrics_have_the_names_of_uwsgi_exporter(serve: Serve) -> None:
    server = serve("steps:application", *ADMIN, "--metrics-names", "both", "--threads", "2")
    assert exchange(server.address, http_request(target="/pid")).status == 200
    admin = admin_of(server)
    deadline = time.monotonic() + PATIENCE
    while not (scrape := Scrape(admin)).sum("uwsgi_worker_requests_total", worker_id="1"):
        assert time.monotonic() < deadline, scrape.text
    assert scrape.sum("tapster_requests_total") == scrape.sum("uwsgi_worker_requests_total") == 1
    assert scrape.sum("uwsgi_worker_core_requests_total") == 1
    assert scrape.sum("uwsgi_worker_idle") == scrape.sum("uwsgi_up") == 1
    assert scrape.sum("uwsgi_worker_rss_bytes", worker_id="1") > 1 << 20
