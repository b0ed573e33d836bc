"""Clients that speak uwsgi, nginx above all, before upstreams of either protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

import pytest

from tests.server import Server
from tests.upstreams.backend import Backend
from tests.uwsgi_packet import uwsgi_request
from tests.wire import exchange

if TYPE_CHECKING:
    from pathlib import Path

Front = Callable[..., Server]


def test_the_client_is_who_the_peer_says(front: Front) -> None:
    with Backend() as backend:
        server = front([backend.url])
        fields = {"X-Forwarded-For": "6.6.6.6", "Connection": "keep-alive", "X-Other": "kept"}
        request = uwsgi_request("POST", "/a%20b?c=d", fields, b"body", HTTPS="on")
        answer = exchange(server.address, request, "POST")
        assert (answer.status, answer.body, answer.get("Connection")) == (200, b"ok", None)
        assert backend.heads[0].startswith(b"POST /a%20b?c=d HTTP/1.1\r\n")
        assert backend.bodies == [b"body"]
        said = backend.fields()
        assert (said["x-forwarded-for"], said["x-forwarded-proto"]) == ("192.0.2.7", "https")
        assert (said["host"], said["x-other"]) == ("test.example", "kept")
        assert "connection" not in said


@pytest.mark.parametrize("scheme", ["http", "uwsgi"])
def test_a_real_server_behind_it(front: Front, tmp_path: Path, scheme: str) -> None:
    large = bytes(range(256)) * 4096
    with Server.start("plain:application", "--bind", "127.0.0.1:0", "--threads", "4") as upstream:
        server = front([f"{scheme}://{upstream.address}"], "--bind", f"unix:{tmp_path}/s")
        assert exchange(server.unix, uwsgi_request(target="/hello")).body == b"hello"
        assert exchange(server.unix, uwsgi_request("POST", "/echo", body=large)).body == large
        streamed = exchange(server.unix, uwsgi_request(target="/download?blocks=40"))
        assert streamed.get("Transfer-Encoding") is None
        assert len(streamed.body) == 40 * 65536
        assert exchange(server.unix, uwsgi_request("HEAD", "/hello"), "HEAD").get("Content-Length") == "5"
