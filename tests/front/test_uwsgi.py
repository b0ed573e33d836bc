"""Clients that speak uwsgi before a front: the requests, good and malformed, of tests/uwsgi, with the same answers."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.front.conftest import LARGE, SMALL, put
from tests.load import Load
from tests.nginx.front import Nginx
from tests.server import Server
from tests.uwsgi.test_malformed import (
    test_a_body_that_ends_early_never_passes_for_whole,
    test_a_packet_that_ends_early_is_closed_cleanly,
    test_every_length_of_a_cut_packet,
    test_other_modifiers_are_refused,
    test_refused,
)
from tests.uwsgi.test_requests import (
    test_a_half_closed_client_is_served,
    test_a_streamed_answer_is_not_chunked,
    test_an_unread_body_does_not_eat_the_answer,
    test_bytes_after_the_request_are_dropped,
    test_get,
    test_head,
    test_http_on_the_same_listener,
    test_many_variables,
    test_ping,
    test_post,
    test_the_largest_packet,
    test_the_packet_may_come_byte_by_byte,
    test_the_protocol_is_decided_once_a_connection,
)
from tests.uwsgi_packet import uwsgi_request
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.address import Address
    from tests.conftest import Serve

__all__ = [
    "test_a_body_that_ends_early_never_passes_for_whole",
    "test_a_half_closed_client_is_served",
    "test_a_packet_that_ends_early_is_closed_cleanly",
    "test_a_streamed_answer_is_not_chunked",
    "test_an_unread_body_does_not_eat_the_answer",
    "test_bytes_after_the_request_are_dropped",
    "test_every_length_of_a_cut_packet",
    "test_get",
    "test_head",
    "test_http_on_the_same_listener",
    "test_many_variables",
    "test_other_modifiers_are_refused",
    "test_ping",
    "test_post",
    "test_refused",
    "test_the_largest_packet",
    "test_the_packet_may_come_byte_by_byte",
    "test_the_protocol_is_decided_once_a_connection",
]


@pytest.fixture(scope="module")
def server(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A front on a TCP address and a unix socket, before apps/plain.py."""
    path = tmp_path_factory.mktemp("run") / "s"
    binds = ("--bind", "127.0.0.1:0", "--bind", f"unix:{path}")
    with Server.start(
        "plain:application",
        "--threads",
        "2",
        *binds,
        "--static",
        f"/static/={site}/public",
        "--static",
        f"/files/={site}/public",
    ) as started:
        yield started


@pytest.fixture(params=["tcp", "unix"])
def address(request: pytest.FixtureRequest, server: Server) -> Address:
    """Each of the two."""
    return server.unix if request.param == "unix" else server.address


def test_files(address: Address) -> None:
    found = exchange(address, uwsgi_request(target="/static/css/a.css"))
    assert (found.status, found.body) == (200, SMALL)
    etag = str(found.get("ETag"))
    known = exchange(address, uwsgi_request(target="/static/css/a.css", fields={"If-None-Match": etag}))
    assert known.status == 304
    part = exchange(address, uwsgi_request(target="/static/large.bin", fields={"Range": "bytes=100-199"}))
    assert (part.status, part.body) == (206, LARGE[100:200])
    assert exchange(address, uwsgi_request(target="/static/large.bin")).body == LARGE
    head = exchange(address, uwsgi_request("HEAD", "/static/css/a.css"), "HEAD")
    assert (head.status, head.get("Content-Length")) == (200, "20")


@pytest.mark.parametrize("path", ["/static/../secret.txt", "/static/%2e%2e/secret.txt", "/static/.env"])
def test_no_way_out_of_the_directory(address: Address, path: str) -> None:
    for target in (path, path.replace("%2e", ".")):
        answer = exchange(address, uwsgi_request(target=target))
        assert b"SECRET" not in answer.body
        # A path that a rewrite made is no other.
        rewritten = exchange(address, uwsgi_request(target="/", PATH_INFO=target))
        assert b"SECRET" not in rewritten.body


def test_a_path_that_nginx_rewrote(address: Address) -> None:
    answer = exchange(address, uwsgi_request(target="/old.css", PATH_INFO="/static/css/a.css"))
    assert answer.body == SMALL


def test_nginx_before_a_front(server: Server, tmp_path: Path) -> None:
    with Nginx("uwsgi.conf", server.unix, tmp_path / "prefix") as nginx:
        assert exchange(nginx.address, http_request(target="/hello")).body == b"hello"
        assert exchange(nginx.address, http_request(target="/files/css/a.css")).body == SMALL
        assert exchange(nginx.address, http_request("POST", "/echo", body=LARGE)).body == LARGE
        assert (
            exchange(nginx.address, http_request(target="/download?blocks=40")).body.count(b"") > 40 * 65536
        )


def test_nothing_is_lost_when_workers_are_reloaded(serve: Serve, tmp_path: Path) -> None:
    put(tmp_path / "files" / "a.css", SMALL)
    server = serve(
        "steps:application",
        "--bind",
        f"unix:{tmp_path}/s",
        "--threads",
        "4",
        "--static",
        f"/files/={tmp_path}/files",
    )
    with Nginx("uwsgi.conf", server.unix, tmp_path / "prefix") as nginx, Load(nginx.address) as load:
        for _ in range(2):
            load.wait_for(100)
            mark = server.log.mark()
            server.send(signal.SIGHUP)
            server.log.wait_for("reloaded in", mark)
        load.wait_for(200)
    assert load.tally.failures == []
