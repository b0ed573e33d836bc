"""`--slow-log` and `--queue-timeout`: requests that take long, and requests that wait long."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from tests.conftest import Serve
    from tests.process.conftest import Gates

APP = "steps:application"


def test_a_slow_request_is_told_of_once_and_goes_on(serve: Serve, gates: Gates) -> None:
    server = serve(APP, "--slow-log", "200ms", env=gates.env)
    told = r"GET /gate has run for \d+\.\d s without an answer \(--slow-log\)"
    with Connection(server.address) as client:
        client.send(http_request(target="/gate?name=slow&token=secret"))
        server.log.wait_for(told)
        server.log.wait_for(r"in gate$")
        client.assert_silent(0.6)
        gates.open("slow")
        assert client.read_response().body == b"opened slow"
    assert len(server.log.find(told)) == 1
    assert not server.log.find("secret.*--slow-log")


def test_a_stream_that_has_begun_is_not_slow(serve: Serve) -> None:
    server = serve(APP, "--slow-log", "2s")
    assert exchange(server.address, http_request(target="/events?count=8&seconds=0.3")).status == 200
    assert not server.log.find("--slow-log")


def test_a_request_that_waits_too_long_is_refused(serve: Serve, gates: Gates) -> None:
    server = serve(APP, "--threads", "2", "--queue-timeout", "300ms", env=gates.env)
    with ExitStack() as stack:
        clients = [stack.enter_context(Connection(server.address)) for _ in range(6)]
        for number, client in enumerate(clients):
            client.send(http_request(target=f"/gate?name={number}"))
            if number < 2:
                gates.wait_inside(str(number))
        late = [client.read_response() for client in clients[2:]]
        for number in range(2):
            gates.open(str(number))
        assert [client.read_response().status for client in clients[:2]] == [200] * 2
    assert [response.status for response in late] == [503] * 4
    assert all(response.get("Retry-After") for response in late)
    assert exchange(server.address, http_request(target="/pid")).status == 200


def test_a_client_that_is_gone_costs_no_call(serve: Serve, gates: Gates) -> None:
    """What the application would have done is not done: nobody waits for it."""
    server = serve(APP, "--threads", "1", env=gates.env)
    with Connection(server.address) as slow:
        slow.send(http_request(target="/gate?name=slow"))
        gates.wait_inside("slow")
        gone = [Connection(server.address) for _ in range(20)]
        for client in gone:
            client.send(http_request(target="/sleep?seconds=1"))
        # Time to read them; those that it does not read now it reads when they are gone.
        slow.assert_silent(0.2)
        for client in gone:
            client.reset()
        gates.open("slow")
        assert slow.read_response().body == b"opened slow"
        assert exchange(server.address, http_request(target="/pid")).status == 200
