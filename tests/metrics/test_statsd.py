"""Metrics are sent to statsd servers: real datagrams, received here."""

from __future__ import annotations

import socket
import time
from collections import defaultdict
from typing import TYPE_CHECKING

from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve

PATIENCE = 40.0
OFTEN = ("--statsd-interval", "100ms")


class Received:
    """What came so far."""

    def __init__(self, server: socket.socket) -> None:
        server.settimeout(PATIENCE)
        self.socket = server
        self.counts = defaultdict[str, float](float)
        self.gauges: dict[str, float] = {}

    def wait_for_count(self, name: str, count: int) -> None:
        """Receives until this was counted so often."""
        deadline = time.monotonic() + PATIENCE
        while self.counts[name] < count:
            assert time.monotonic() < deadline, (self.counts, self.gauges)
            self.receive()
        assert self.counts[name] == count

    def receive(self) -> None:
        """One datagram."""
        datagram = self.socket.recv(65536)
        assert len(datagram) <= 1432
        for line in datagram.decode().split("\n"):
            name, _, rest = line.partition(":")
            value, kind, *tags = rest.split("|")
            name = "|".join([name, *tags])
            if kind == "c":
                self.counts[name] += float(value)
            else:
                assert kind == "g"
                self.gauges[name] = float(value)


def test_statsd_gets_what_came_since_the_last_time(serve: Serve) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        port = receiver.getsockname()[1]
        server = serve(
            "steps:application", "--statsd", f"udp://127.0.0.1:{port}", "--statsd-prefix", "shop", *OFTEN
        )
        received = Received(receiver)
        for total in (3, 5):
            while received.counts["shop.requests.200.GET"] < total:
                exchange(server.address, http_request(target="/pid"))
                received.wait_for_count(
                    "shop.requests.200.GET", int(received.counts["shop.requests.200.GET"]) + 1
                )
        received.wait_for_count("shop.request_app.count", 5)
        assert received.gauges["shop.ready"] == 1
        assert received.gauges["shop.request_app.p99"] >= 0


def test_dogstatsd_gets_tags_over_a_unix_socket(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "dsd.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(path))
        words = (
            "--statsd",
            f"unix:{path}",
            "--statsd-format",
            "dogstatsd",
            "--dogstatsd-tags",
            "env:test,team:a",
        )
        server = serve("steps:application", *words, *OFTEN)
        exchange(server.address, http_request(target="/pid"))
        received = Received(receiver)
        received.wait_for_count("tapster.requests|#status:200,method:GET,env:test,team:a", 1)


def test_a_server_that_is_not_there_is_told_of_once(serve: Serve, tmp_path: Path) -> None:
    server = serve("steps:application", "--statsd", f"unix:{tmp_path / 'nothing'}", *OFTEN)
    server.log.wait_for("metrics cannot be sent")
    assert exchange(server.address, http_request(target="/pid")).status == 200
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "nothing"))
        received = Received(receiver)
        received.wait_for_count("tapster.requests.200.GET", 1)
    assert len(server.log.find("metrics cannot be sent")) == 1
