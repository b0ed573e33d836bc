"""What the application learns of the client through nginx."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server import Server
from tests.wire import Connection, chunked, exchange, http_request
from tests.wsgi.environ import Environ

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.nginx.front import Nginx


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Believes nginx about the client as well as about the scheme."""
    path = tmp_path_factory.mktemp("run") / "s"
    words = ["--bind", "127.0.0.1:0", "--bind", f"unix:{path}", "--forwarded-allow-ips", "127.0.0.1,unix"]
    with Server.start("environ_page:application", *words) as started:
        yield started


def test_the_request_as_the_client_made_it(nginx: Nginx) -> None:
    target = "/caf%C3%A9//a%20b?q=%20z"
    environ = Environ(exchange(nginx.address, http_request(target=target, fields={"Host": "localhost:81"})))
    assert environ["REQUEST_METHOD"] == "GET"
    assert environ["REQUEST_URI"] == target
    assert environ["QUERY_STRING"] == "q=%20z"
    assert environ["PATH_INFO"].startswith("/caf\u00c3\u00a9/")
    assert environ["SCRIPT_NAME"] == ""
    assert environ["HTTP_HOST"] == "localhost:81"


def test_the_client_and_the_scheme(nginx: Nginx) -> None:
    environ = Environ(exchange(nginx.address, http_request()))
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["wsgi.url_scheme"] == "http"
    assert Environ(exchange(nginx.tls, http_request()))["wsgi.url_scheme"] == "https"


def test_a_client_cannot_lie_about_itself(nginx: Nginx) -> None:
    lies = {
        "X-Forwarded-For": "6.6.6.6",
        "X-Forwarded-Proto": "https",
        "Forwarded": "for=6.6.6.6;proto=https",
        "X_Forwarded_For": "6.6.6.6",
        "Proxy": "http://6.6.6.6",
    }
    environ = Environ(exchange(nginx.address, http_request(fields=lies)))
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["wsgi.url_scheme"] == "http"
    assert not [key for key, value in environ.cgi().items() if "6.6.6.6" in value and key != "HTTP_FORWARDED"]


def test_a_chunked_body_arrives_with_a_length(nginx: Nginx) -> None:
    request = http_request("POST", "/", {"Transfer-Encoding": "chunked"}, chunked(b"hello ", b"world"))
    environ = Environ(exchange(nginx.address, request))
    assert environ["CONTENT_LENGTH"] == "11"
    assert "HTTP_TRANSFER_ENCODING" not in environ


def test_head_and_keep_alive(nginx: Nginx) -> None:
    with Connection(nginx.address) as connection:
        for _ in range(20):
            connection.send(http_request("HEAD"))
            assert connection.read_response("HEAD").status == 200
            connection.send(http_request())
            assert Environ(connection.read_response())["REQUEST_METHOD"] == "GET"
