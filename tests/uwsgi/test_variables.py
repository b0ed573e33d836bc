"""From uwsgi variables to the environ: what is kept, mended, and never believed (nginx's uwsgi module, CVE-2023-27522)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.uwsgi_packet import packet, request_variables
from tests.wire import exchange
from tests.wsgi.environ import Environ

if TYPE_CHECKING:
    from tests.address import Address

APP = "environ_page:application"


def ask(
    address: Address, *extra: tuple[str, str], modifier1: int = 0, without: tuple[str, ...] = ()
) -> Environ:
    names = {name.encode() for name in without} | {name.encode() for name, _ in extra}
    kept = [pair for pair in request_variables(target="/path?q=1") if pair[0] not in names]
    added = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in extra]
    return Environ(exchange(address, packet([*kept, *added], modifier1)))


def test_all_of_nginx_s_variables(address: Address) -> None:
    environ = ask(address, ("MY_SETTING", "caf\u00e9"))
    assert environ["REQUEST_METHOD"] == "GET"
    assert environ["PATH_INFO"] == "/path"
    assert environ["QUERY_STRING"] == "q=1"
    assert environ["REQUEST_URI"] == "/path?q=1"
    assert environ["REMOTE_ADDR"] == "192.0.2.7"
    assert environ["REMOTE_PORT"] == "50123"
    assert environ["SERVER_NAME"] == "test.example"
    assert environ["SERVER_PORT"] == "80"
    assert environ["SERVER_PROTOCOL"] == "HTTP/1.1"
    assert environ["DOCUMENT_ROOT"] == "/usr/share/nginx/html"
    assert environ["MY_SETTING"] == "caf\u00e9"
    assert environ["SCRIPT_NAME"] == ""
    assert environ["wsgi.url_scheme"] == "http"


@pytest.mark.parametrize(
    ("name", "value"),
    [("HTTPS", "on"), ("REQUEST_SCHEME", "https"), ("UWSGI_SCHEME", "https"), ("HTTPS", "1")],
)
def test_https(address: Address, name: str, value: str) -> None:
    assert ask(address, (name, value))["wsgi.url_scheme"] == "https"


@pytest.mark.parametrize(("name", "value"), [("HTTPS", "off"), ("HTTPS", ""), ("REQUEST_SCHEME", "http")])
def test_no_https(address: Address, name: str, value: str) -> None:
    assert ask(address, (name, value))["wsgi.url_scheme"] == "http"


def test_framing_fields_of_the_client_are_dropped(address: Address) -> None:
    """nginx has undone the chunks; Werkzeug would wait for them."""
    environ = ask(
        address,
        ("HTTP_TRANSFER_ENCODING", "chunked"),
        ("HTTP_CONTENT_LENGTH", "5"),
        ("HTTP_CONTENT_TYPE", "text/plain"),
        ("HTTP_PROXY", "http://evil.example"),
    )
    dropped = {"HTTP_TRANSFER_ENCODING", "HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE", "HTTP_PROXY"}
    assert dropped & set(environ.cgi()) == set()


@pytest.mark.parametrize(
    "name",
    [
        "UWSGI_FILE",
        "UWSGI_SCRIPT",
        "UWSGI_MODULE",
        "UWSGI_CALLABLE",
        "UWSGI_HOME",
        "UWSGI_CHDIR",
        "UWSGI_SETENV",
    ],
)
def test_nothing_is_loaded_for_a_variable(address: Address, name: str) -> None:
    """uWSGI runs what these name; here they are variables like others, or dropped."""
    assert ask(address, (name, "/nowhere/evil.py"))["PATH_INFO"] == "/path"


def test_wsgi_keys_cannot_be_set(address: Address) -> None:
    environ = ask(address, ("wsgi.url_scheme", "https"), ("wsgi.multiprocess", "yes"), ("wsgi.input", "evil"))
    assert environ["wsgi.url_scheme"] == "http"
    assert environ.types["wsgi.multiprocess"] == "bool"
    assert environ["test.input"] == ["read", "readline", "readlines", "__iter__"]


def test_modifier_30_takes_script_name_off_the_path(address: Address) -> None:
    environ = ask(address, ("SCRIPT_NAME", "/app"), ("PATH_INFO", "/app/inner"), modifier1=30)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/app", "/inner")


def test_modifier_0_leaves_the_path(address: Address) -> None:
    environ = ask(address, ("SCRIPT_NAME", "/app"), ("PATH_INFO", "/inner"))
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/app", "/inner")


def test_a_missing_path_comes_from_request_uri(address: Address) -> None:
    environ = ask(address, ("REQUEST_URI", "/from%20uri?q=1"), without=("PATH_INFO",))
    assert environ["PATH_INFO"] == "/from uri"


def test_missing_variables_get_defaults(address: Address) -> None:
    absent = ("SERVER_PROTOCOL", "SERVER_NAME", "SERVER_PORT", "QUERY_STRING", "REMOTE_ADDR", "REMOTE_PORT")
    environ = ask(address, without=absent)
    assert environ["QUERY_STRING"] in ("", "q=1")
    assert environ["SERVER_NAME"] != ""
    assert environ["SERVER_PORT"] != ""
    assert environ["SERVER_PROTOCOL"].startswith("HTTP/1.")
    assert environ.types["REMOTE_ADDR"] == "str"


def test_the_last_of_two_equal_names_holds(address: Address) -> None:
    """As uWSGI does: nginx's own parameters come after an administrator's."""
    environ = ask(address, ("X_TWICE", "first"), ("X_TWICE", "second"))
    assert environ["X_TWICE"] == "second"
