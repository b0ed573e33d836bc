"""What the application sees of a uwsgi packet behind a front: what it sees without one. The tests are those of tests/uwsgi."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server import Server
from tests.uwsgi.test_variables import (
    ask,
    test_a_missing_path_comes_from_request_uri,
    test_all_of_nginx_s_variables,
    test_framing_fields_of_the_client_are_dropped,
    test_https,
    test_missing_variables_get_defaults,
    test_modifier_0_leaves_the_path,
    test_modifier_30_takes_script_name_off_the_path,
    test_no_https,
    test_nothing_is_loaded_for_a_variable,
    test_the_last_of_two_equal_names_holds,
    test_wsgi_keys_cannot_be_set,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.address import Address

__all__ = [
    "test_a_missing_path_comes_from_request_uri",
    "test_all_of_nginx_s_variables",
    "test_framing_fields_of_the_client_are_dropped",
    "test_https",
    "test_missing_variables_get_defaults",
    "test_modifier_0_leaves_the_path",
    "test_modifier_30_takes_script_name_off_the_path",
    "test_no_https",
    "test_nothing_is_loaded_for_a_variable",
    "test_the_last_of_two_equal_names_holds",
    "test_wsgi_keys_cannot_be_set",
]


@pytest.fixture(scope="module")
def server(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A front on a TCP address and a unix socket, before apps/environ_page.py."""
    path = tmp_path_factory.mktemp("run") / "s"
    binds = ("--bind", "127.0.0.1:0", "--bind", f"unix:{path}")
    with Server.start(
        "environ_page:application", *binds, "--threads", "2", "--static", f"/static/={site}/public"
    ) as started:
        yield started


@pytest.fixture(params=["tcp", "unix"])
def address(request: pytest.FixtureRequest, server: Server) -> Address:
    """Each of the two."""
    return server.unix if request.param == "unix" else server.address


def test_what_a_packet_leaves_out_comes_from_the_connection(server: Server) -> None:
    absent = ("REMOTE_ADDR", "REMOTE_PORT", "SERVER_NAME", "SERVER_PORT")
    environ = ask(server.address, without=absent)
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["SERVER_NAME"] == "127.0.0.1"
    assert environ["SERVER_PORT"] == str(server.address.port)
    assert int(str(environ["REMOTE_PORT"])) > 0
    assert ask(server.unix, without=absent)["REMOTE_ADDR"] == ""


def test_variables_of_one_s_own_arrive(address: Address) -> None:
    assert ask(address, ("MY_SETTING", "on"), ("SSL_CLIENT_S_DN", "CN=a"))["SSL_CLIENT_S_DN"] == "CN=a"
