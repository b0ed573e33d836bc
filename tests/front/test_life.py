"""The front's process beside the workers: it outlives them, is replaced when it dies, brings no request to a worker twice,
and goes first when the server stops.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tests.front.conftest import LARGE, SMALL, pid_of
from tests.load import Load
from tests.server import wait_gone
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve
    from tests.process.conftest import Gates, Project
    from tests.server import Server


def files(site: Path) -> tuple[str, str]:
    return ("--static", f"/static/={site}/public")


def css(server: Server) -> bytes:
    return exchange(server.address, http_request(target="/static/css/a.css")).body


def pid(server: Server) -> int:
    return int(exchange(server.address, http_request(target="/pid")).body)


def wait_front(server: Server, other_than: int = 0, timeout: float = 20.0) -> int:
    """Waits until there is a front, another one than before."""
    deadline = time.monotonic() + timeout
    while True:
        found = [number for number in pid_of(server, "tapster-front") if number != other_than]
        if found:
            return found[0]
        assert time.monotonic() < deadline, "no front"
        time.sleep(0.01)


def listens(number: int, port: int) -> bool:
    """Whether the process has a descriptor of the listener."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        inodes = [line.split()[9] for line in table if f":{port:04X} 00000000:0000 0A" in line]
    links = [os.readlink(f"/proc/{number}/fd/{name}") for name in os.listdir(f"/proc/{number}/fd")]
    return any(f"socket:[{inode}]" in links for inode in inodes)


def test_there_is_none_unless_it_is_asked_for(serve: Serve) -> None:
    server = serve("plain:application")
    assert pid_of(server, "tapster-front") == []
    assert b"tokio" not in b"".join(_threads(number) for number in server.worker_pids())


def _threads(number: int) -> bytes:
    return b"".join(
        open(f"/proc/{number}/task/{task}/comm", "rb").read() for task in os.listdir(f"/proc/{number}/task")
    )


def test_clients_come_to_the_front_alone(serve: Serve, site: Path) -> None:
    server = serve("steps:application", "--workers", "2", *files(site))
    [front] = pid_of(server, "tapster-front")
    workers = pid_of(server, "tapster-w")
    assert len(workers) == 2
    assert listens(front, server.address.port)
    assert not any(listens(number, server.address.port) for number in workers)
    assert css(server) == SMALL
    assert pid(server) in workers


def test_a_reload_under_load_fails_nothing_and_leaves_the_front(
    serve: Serve, site: Path, project: Project
) -> None:
    server = serve("versioned:app", "--workers", "2", *files(site), cwd=project.directory)
    front = wait_front(server)
    with Load(server.address) as load:
        for number in ("2", "3"):
            project.write(number)
            old = pid_of(server, "tapster-w")
            server.send(signal.SIGHUP)
            wait_gone(old, 40)
            found = exchange(server.address, http_request(target="/version")).body.decode()
            assert found == number
            load.wait_for(50)
    assert load.tally.failures == []
    assert wait_front(server) == front


def test_what_waits_while_no_worker_serves_is_answered_by_the_next(serve: Serve, site: Path) -> None:
    server = serve("steps:application", "--workers", "1", *files(site))
    [worker] = pid_of(server, "tapster-w")
    with Connection(server.address) as connection:
        connection.send(http_request(target="/pid"))
        assert int(connection.read_response().body) == worker
        os.kill(worker, signal.SIGKILL)
        wait_gone([worker], 20)
        connection.send(http_request(target="/pid"))
        assert int(connection.read_response().body) != worker


def test_a_request_in_a_worker_that_dies_is_502_and_others_live(
    serve: Serve, site: Path, gates: Gates
) -> None:
    server = serve("steps:application", "--workers", "2", *files(site), env=gates.env)
    with Connection(server.address) as connection:
        connection.send(http_request(target="/gate?name=a"))
        worker = gates.wait_inside("a")
        mark = server.log.mark()
        os.kill(worker, signal.SIGKILL)
        found = connection.read_response()
        assert (found.status, found.closes) == (502, True)
    server.log.wait_for("refused with 502: worker . ended before it answered", mark)
    assert pid(server) != worker


def test_a_front_that_dies_is_replaced(serve: Serve, site: Path) -> None:
    server = serve("steps:application", *files(site))
    front, workers = wait_front(server), pid_of(server, "tapster-w")
    mark = server.log.mark()
    os.kill(front, signal.SIGKILL)
    server.log.wait_for(rf"front \(pid {front}\) was killed by SIGKILL", mark)
    assert wait_front(server, front) != front
    assert css(server) == SMALL
    assert pid(server) in workers


def test_files_are_served_while_every_thread_is_busy(serve: Serve, site: Path, gates: Gates) -> None:
    server = serve("steps:application", "--threads", "1", *files(site), env=gates.env)
    with Connection(server.address) as stuck, Connection(server.address) as waits:
        stuck.send(http_request(target="/gate?name=a"))
        gates.wait_inside("a")
        waits.send(http_request(target="/pid"))
        assert css(server) == SMALL
        waits.assert_silent(0.1)
        gates.open("a")
        assert stuck.read_response().body == b"opened a"
        assert waits.read_response().status == 200


def test_requests_go_where_a_thread_is_free(serve: Serve, site: Path, gates: Gates) -> None:
    """One queue for all workers: a slow request holds one thread, and nobody waits behind it."""
    server = serve("steps:application", "--workers", "2", "--threads", "1", *files(site), env=gates.env)
    server.log.wait_for("2 workers")
    with Connection(server.address) as slow:
        slow.send(http_request(target="/gate?name=a"))
        busy = gates.wait_inside("a")
        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(pid, server) for _ in range(40)]
            found = {one.result() for one in asked}
        assert busy not in found and len(found) == 1
        gates.open("a")
        assert slow.read_response().status == 200


def test_one_that_waits_too_long_is_503(serve: Serve, site: Path, gates: Gates) -> None:
    options = ("--threads", "1", "--queue-timeout", "1s")
    server = serve("steps:application", *options, *files(site), env=gates.env)
    with Connection(server.address) as slow:
        slow.send(http_request(target="/gate?name=a"))
        gates.wait_inside("a")
        found = exchange(server.address, http_request(target="/pid"))
        assert (found.status, found.get("Retry-After")) == (503, "5")
        gates.open("a")
        assert slow.read_response().status == 200


def test_a_stop_finishes_what_runs(serve: Serve, site: Path, gates: Gates) -> None:
    server = serve("steps:application", *files(site), env=gates.env)
    with Connection(server.address) as running, Connection(server.address) as idle:
        idle.send(http_request(target="/pid"))
        idle.read_response()
        running.send(http_request(target="/gate?name=a"))
        gates.wait_inside("a")
        server.send(signal.SIGTERM)
        idle.assert_closed()
        gates.open("a")
        found = running.read_response()
        assert (found.body, found.closes) == (b"opened a", True)
    assert server.wait() == 0


def test_a_second_stop_is_at_once(serve: Serve, site: Path, gates: Gates) -> None:
    server = serve("steps:application", *files(site), env=gates.env)
    front = wait_front(server)
    with Connection(server.address) as running:
        running.send(http_request(target="/gate?name=a"))
        gates.wait_inside("a")
        mark = server.log.mark()
        server.send(signal.SIGTERM)
        server.log.wait_for("stopping", mark)
        server.send(signal.SIGTERM)
        server.wait()
    wait_gone([front], 20)


def test_the_front_goes_when_the_supervisor_is_killed(serve: Serve, site: Path) -> None:
    server = serve("steps:application", *files(site))
    front = wait_front(server)
    server.send(signal.SIGKILL)
    wait_gone([front], 20)


def test_an_upgrade_under_load_fails_nothing(serve: Serve, site: Path) -> None:
    server = serve("steps:application", "--workers", "2", *files(site))
    old = wait_front(server)
    with Load(server.address) as load:
        load.wait_for(50)
        server.send(signal.SIGUSR2)
        wait_gone([old], 40)
        load.wait_for(50)
    assert load.tally.failures == []


def test_a_client_that_leaves_takes_its_place_in_the_queue_along(
    serve: Serve, site: Path, gates: Gates
) -> None:
    server = serve("plain:application", "--threads", "1", *files(site), env=gates.env)
    before = int(exchange(server.address, http_request(target="/calls")).body)
    for _ in range(5):
        with Connection(server.address) as connection:
            connection.send(http_request(target="/download?blocks=2000"))
            connection.read_head()
            connection.reset()
    assert int(exchange(server.address, http_request(target="/calls")).body) == before + 1


def test_large_bodies_flow_and_are_whole(serve: Serve, site: Path) -> None:
    server = serve("plain:application", "--threads", "1", *files(site))
    expected = exchange(server.address, http_request("POST", "/digest", body=LARGE * 4)).body
    parts = b"".join(b"%x\r\n%s\r\n" % (len(LARGE), LARGE) for _ in range(4)) + b"0\r\n\r\n"
    head = b"POST /digest HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert exchange(server.address, head + parts).body == expected
    assert expected.startswith(b"4194304 ")


def test_a_slow_upload_holds_no_thread(serve: Serve, site: Path) -> None:
    server = serve("plain:application", "--threads", "1", *files(site))
    with Connection(server.address) as small, Connection(server.address) as large:
        for connection, size in ((small, 100), (large, 1 << 20)):
            head = f"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n".encode()
            connection.send(head + b"x" * (size - 1))
        for _ in range(5):
            assert exchange(server.address, http_request()).body == b"hello"
        for connection, size in ((small, 100), (large, 1 << 20)):
            connection.send(b"x")
            assert len(connection.read_response().body) == size


def test_the_application_sees_the_client(serve: Serve, site: Path) -> None:
    server = serve("environ_page:application", *files(site))
    with Connection(server.address) as connection:
        fields = {"Tapster-Client": "https 203.0.113.9:1 203.0.113.9:2", "X-Forwarded-Proto": "https"}
        connection.send(http_request(fields=fields))
        body = connection.read_response().body
        page = {name: value for name, (_, value) in json.loads(body).items()}
        port = str(connection.port)
    assert (page["REMOTE_ADDR"], page["REMOTE_PORT"]) == ("127.0.0.1", port)
    assert page["SERVER_PORT"] == str(server.address.port)
    assert page["wsgi.url_scheme"] == "https", "a loopback proxy may say so"
    assert b"203.0.113.9" not in body


def test_a_unix_socket(serve: Serve, site: Path, tmp_path: Path) -> None:
    server = serve("steps:application", "--bind", f"unix:{tmp_path}/s", *files(site))
    with Connection(server.unix) as connection:
        connection.send(http_request(target="/static/large.bin") + http_request(target="/pid"))
        assert connection.read_response().body == LARGE
        assert connection.read_response().status == 200
    assert server.stop() == 0


def test_a_proxy_header(serve: Serve, site: Path) -> None:
    server = serve("environ_page:application", "--proxy-protocol", "v1", *files(site))
    with Connection(server.address) as connection:
        connection.send(b"PROXY TCP4 203.0.113.7 203.0.113.8 4711 80\r\n" + http_request())
        page = {name: value for name, (_, value) in json.loads(connection.read_response().body).items()}
    assert (page["REMOTE_ADDR"], page["REMOTE_PORT"]) == ("203.0.113.7", "4711")


def test_idle_connections_end_and_slow_heads_are_408(serve: Serve, site: Path) -> None:
    options = ("--keep-alive", "300ms", "--head-timeout", "500ms")
    server = serve("steps:application", *options, *files(site))
    with Connection(server.address) as idle, Connection(server.address) as slow:
        idle.send(http_request(target="/pid"))
        idle.read_response()
        slow.send(b"GET / HT")
        idle.assert_closed()
        assert slow.read_response().status == 408
        slow.assert_closed()


def test_a_stuck_reader_is_cut(serve: Serve, site: Path) -> None:
    server = serve("plain:application", "--io-timeout", "500ms", *files(site))
    with socket.socket() as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.connect((server.address.host, server.address.port))
        stuck.sendall(http_request(target="/static/large.bin") * 8)
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline:
            time.sleep(0.1)
            try:
                stuck.sendall(b"GET ")
            except OSError:
                return
        raise AssertionError("a client that reads nothing keeps its connection")
