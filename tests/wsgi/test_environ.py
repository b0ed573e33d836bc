"""The environ: every key, its type and value (PEP 3333 "environ Variables", RFC 3875 §4.1)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.transport import Transport
from tests.wire import Connection, chunked, exchange, http_request
from tests.wsgi.environ import Environ

if TYPE_CHECKING:
    from tests.conftest import Serve
    from tests.server import Server

APP = "environ_page:application"

REQUIRED = {
    "REQUEST_METHOD",
    "SCRIPT_NAME",
    "PATH_INFO",
    "QUERY_STRING",
    "REQUEST_URI",
    "RAW_URI",
    "SERVER_NAME",
    "SERVER_PORT",
    "SERVER_PROTOCOL",
    "REMOTE_ADDR",
    "REMOTE_PORT",
}


def get(transport: Transport, target: str = "/", fields: dict[str, str] | None = None) -> Environ:
    return Environ(transport.request(target, fields=fields))


def test_every_key_is_there_and_of_its_type(transport: Transport) -> None:
    environ = get(transport)
    # A unix socket has no port, and nothing is better than a wrong one.
    absent = {"REMOTE_PORT"} if transport.name == "http-unix" else set[str]()
    assert set(environ.cgi()) >= REQUIRED - absent
    assert environ["test.environ_class"] == "dict", "PEP 3333: must be a builtin dict"
    assert {key for key in environ.cgi() if environ.types[key] != "str"} == set()
    assert environ["wsgi.version"] == [1, 0]
    assert environ.types["wsgi.version"] == "tuple"
    for key in ("wsgi.multithread", "wsgi.multiprocess", "wsgi.run_once", "wsgi.input_terminated"):
        assert environ.types[key] == "bool", key
    assert environ["wsgi.input_terminated"] is True
    assert environ["wsgi.run_once"] is False
    assert environ["wsgi.url_scheme"] == "http"
    assert "wsgi.file_wrapper" in environ
    assert environ["test.input"] == ["read", "readline", "readlines", "__iter__"]
    assert environ["test.errors"] == ["write", "writelines", "flush"]


def test_the_target_is_split_and_decoded(transport: Transport) -> None:
    environ = get(transport, "/caf%C3%A9/a%2Fb//x%20y;p?q=%20z&r=100%")
    assert environ["PATH_INFO"] == "/caf\u00c3\u00a9/a/b//x y;p", "bytes as latin-1"
    assert environ["QUERY_STRING"] == "q=%20z&r=100%"
    assert environ["REQUEST_URI"] == environ["RAW_URI"] == "/caf%C3%A9/a%2Fb//x%20y;p?q=%20z&r=100%"
    assert environ["SCRIPT_NAME"] == ""


def test_server_name_and_port_are_never_empty(transport: Transport) -> None:
    environ = get(transport)
    assert environ["SERVER_NAME"] != ""
    assert environ["SERVER_PORT"].isdigit()
    assert environ["SERVER_PROTOCOL"] == "HTTP/1.1"


def test_fields_become_variables(transport: Transport) -> None:
    environ = get(transport, "/", {"X-Some-Thing": "a  b", "Accept": "*/*", "X-Empty": ""})
    assert environ["HTTP_X_SOME_THING"] == "a  b"
    assert environ["HTTP_ACCEPT"] == "*/*"
    assert environ["HTTP_X_EMPTY"] == ""
    assert environ["HTTP_HOST"] == "test.example"


def test_latin1_bytes_arrive_as_latin1(transport: Transport) -> None:
    assert get(transport, "/", {"X-Name": "caf\u00e9 \u00ff"})["HTTP_X_NAME"] == "caf\u00e9 \u00ff"


def test_content_type_and_length_have_no_http_prefix(transport: Transport) -> None:
    answer = transport.request("/", "POST", {"Content-Type": "text/x-test"}, b"12345")
    environ = Environ(answer)
    assert environ["CONTENT_TYPE"] == "text/x-test"
    assert environ["CONTENT_LENGTH"] == "5"
    assert "HTTP_CONTENT_TYPE" not in environ
    assert "HTTP_CONTENT_LENGTH" not in environ


def test_without_a_body_content_length_is_absent_or_empty(transport: Transport) -> None:
    environ = get(transport)
    assert environ.values.get("CONTENT_LENGTH", "") in ("", "0")
    assert environ.values.get("CONTENT_TYPE", "") == ""


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "FROB"])
def test_any_method_is_passed_on(transport: Transport, method: str) -> None:
    assert Environ(transport.request("/", method))["REQUEST_METHOD"] == method


def test_remote_is_the_client(http: Transport) -> None:
    with Connection(http.address) as connection:
        connection.send(http_request())
        environ = Environ(connection.read_response())
        assert environ["REMOTE_ADDR"] == "127.0.0.1"
        assert environ["REMOTE_PORT"] == str(connection.port)


def test_a_proxy_field_sets_no_variable(transport: Transport) -> None:
    """httpoxy: CGI libraries read HTTP_PROXY as configuration."""
    assert "HTTP_PROXY" not in get(transport, "/", {"Proxy": "http://evil.example"})


def test_names_with_underscores_are_dropped(http: Transport) -> None:
    environ = get(http, "/", {"X_Real_Ip": "6.6.6.6", "X-Real-Ip": "192.0.2.1"})
    assert environ["HTTP_X_REAL_IP"] == "192.0.2.1"
    assert "HTTP_X_UNDER" not in get(http, "/", {"X_Under": "1"})


def test_repeated_fields_are_joined(http: Transport) -> None:
    repeated = b"GET / HTTP/1.1\r\nHost: test.example\r\nX-A: 1\r\nCookie: a=1\r\nX-B: only\r\nx-a: 2\r\ncookie: b=2\r\n\r\n"
    environ = Environ(exchange(http.address, repeated))
    assert environ["HTTP_X_A"] == "1, 2"
    assert environ["HTTP_COOKIE"] == "a=1; b=2"
    assert environ["HTTP_X_B"] == "only"


def test_spaces_around_values_are_no_part_of_them(http: Transport) -> None:
    raw = b"GET / HTTP/1.1\r\nHost: test.example\r\nX-A: \t spaced out \t \r\nX-B:tight\r\n\r\n"
    environ = Environ(exchange(http.address, raw))
    assert environ["HTTP_X_A"] == "spaced out"
    assert environ["HTTP_X_B"] == "tight"


def test_http_1_0(http: Transport) -> None:
    environ = Environ(exchange(http.address, http_request(version="1.0")))
    assert environ["SERVER_PROTOCOL"] == "HTTP/1.0"
    assert "HTTP_HOST" not in environ
    assert environ["SERVER_NAME"] != ""


def test_absolute_form_overrides_host(http: Transport) -> None:
    """RFC 9112 §3.2.2."""
    environ = Environ(exchange(http.address, http_request(target="http://other.example:81/p%20q?r")))
    assert environ["HTTP_HOST"] == "other.example:81"
    assert environ["PATH_INFO"] == "/p q"
    assert environ["QUERY_STRING"] == "r"


def test_options_asterisk_reaches_the_application(http: Transport) -> None:
    environ = Environ(exchange(http.address, http_request("OPTIONS", "*")))
    assert environ["REQUEST_METHOD"] == "OPTIONS"
    assert environ["REQUEST_URI"] == environ["RAW_URI"] == "*"
    assert environ["PATH_INFO"] == environ["SCRIPT_NAME"] == "", "the path of its target URI (RFC 9112 §3.3)"


def test_a_chunked_body_has_a_length_for_the_application(http: Transport) -> None:
    """Django reads CONTENT_LENGTH and nothing else."""
    body = chunked(b"hello ", b"world")
    environ = Environ(
        exchange(http.address, http_request("POST", "/", {"Transfer-Encoding": "chunked"}, body))
    )
    assert environ["CONTENT_LENGTH"] == "11"


def test_the_errors_stream_reaches_the_log(http: Transport, server: Server) -> None:
    mark = server.log.mark()
    get(http, "/marker-path")
    server.log.wait_for("wsgi.errors works: /marker-path", mark)


@pytest.mark.parametrize(
    ("options", "multithread", "multiprocess"),
    [
        (("--threads", "1"), False, False),
        (("--threads", "2"), True, False),
        (("--threads", "1", "--workers", "2"), False, True),
        (("--threads", "2", "--workers", "2"), True, True),
    ],
)
def test_concurrency_flags_are_true_to_the_configuration(
    serve: Serve, options: tuple[str, ...], multithread: bool, multiprocess: bool
) -> None:
    server = serve(APP, *options)
    environ = get(Transport("http-tcp", server.address))
    assert environ["wsgi.multithread"] is multithread
    assert environ["wsgi.multiprocess"] is multiprocess
    assert environ["test.thread_class"] != "_DummyThread", "the application runs in a real Python thread"
    assert (environ["test.thread_class"] == "_MainThread") is not multithread
    assert re.match(r"tapster-[12]$" if multithread else "MainThread$", environ["test.thread"])
