"""A server that stops parts from new clients cleanly: each is served, or refused before it has sent anything."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

from tests.hosts.waiting import wait_until
from tests.uwsgi_packet import uwsgi_request
from tests.wire import Connection, Response, http_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.address import Address
    from tests.conftest import Serve
    from tests.process.conftest import Gates
    from tests.server import Server

APP = "steps:application"


def is_refused(address: Address) -> bool:
    """Whether the system says at once that nobody listens; what it still queued is looked at no further."""
    try:
        address.connect(0.5).close()
    except (ConnectionRefusedError, FileNotFoundError):
        return True
    except OSError:
        return False
    return False


def test_new_clients_are_refused_while_a_request_finishes(serve: Serve, gates: Gates, tmp_path: Path) -> None:
    """A balancer sees that it should go elsewhere; nothing waits in a queue that nobody will ever empty."""
    binds = ("--bind", "127.0.0.1:0", "--bind", f"unix:{tmp_path}/s")
    server = serve(APP, "--workers", "2", *binds, env=gates.env)
    with Connection(server.address) as connection:
        connection.send(http_request(target="/gate?name=last"))
        gates.wait_inside("last")
        server.send(signal.SIGTERM)
        wait_until(lambda: is_refused(server.address), "a refused connection")
        wait_until(lambda: is_refused(server.unix), "a refused connection to the unix socket")
        gates.open("last")
        assert connection.read_response().body == b"opened last"
    assert server.wait() == 0


class Posts:
    """Clients in threads that make a new connection for each request, until each is refused."""

    def __init__(self, address: Address, is_uwsgi: bool, count: int = 6) -> None:
        self.right = 0
        self.cut_off: list[str] = []
        self._address, self._is_uwsgi = address, is_uwsgi
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(30)

    def _run(self) -> None:
        request = uwsgi_request if self._is_uwsgi else http_request
        while True:
            try:
                connection = Connection(self._address)
            except OSError:
                return  # It has sent nothing: a balancer goes to the next server.
            try:
                with connection:
                    connection.send(request("POST", "/echo", {"X-Number": "7"}, b"body"))
                    response: Response = connection.read_response()
                    assert (response.status, response.body[:2]) == (200, b"7 ")
                    self.right += 1
            except (AssertionError, OSError) as error:
                self.cut_off.append(f"{type(error).__name__}: {error}")
                return


@pytest.mark.parametrize("is_uwsgi", [False, True], ids=["http", "uwsgi"])
@pytest.mark.parametrize("is_unix", [False, True], ids=["tcp", "unix"])
def test_whoever_could_connect_is_served(serve: Serve, tmp_path: Path, is_uwsgi: bool, is_unix: bool) -> None:
    for attempt in range(2):
        binds = ("--bind", "127.0.0.1:0", "--bind", f"unix:{tmp_path}/{attempt}")
        server = serve(APP, "--workers", "2", "--threads", "2", *binds)
        posts = Posts(server.unix if is_unix else server.address, is_uwsgi)
        wait_until(lambda posts=posts: posts.right > 50, "requests")
        server.send(signal.SIGTERM)
        posts.join()
        assert posts.cut_off == []
        assert server.wait() == 0


def test_a_kept_connection_may_bring_one_more_where_a_balancer_is_told_of(serve: Serve) -> None:
    """It learns from the answer that there are no more."""
    server: Server = serve(APP, "--drain-delay", "1s")
    with Connection(server.address) as kept:
        server.send(signal.SIGTERM)
        wait_until(lambda: is_refused(server.address), "a refused connection")
        kept.send(http_request("POST", "/echo", {"X-Number": "8"}, b"body"))
        response = kept.read_response()
        assert (response.status, response.closes) == (200, True)
        kept.assert_closed()
    assert server.wait() == 0
