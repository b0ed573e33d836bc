"""`environ["wsgi.early_hints"]` sends a 103 before the answer (RFC 8297), to HTTP/1.1 alone, checked as any head is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.transport import Transport
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from tests.conftest import Serve
    from tests.server import Server
    from tests.wire import Response

APP = "hints:application"
STYLE = ("Link", "</style.css>; rel=preload; as=style")
SCRIPT = ("Link", "</app.js>; rel=preload; as=script")


def ask(http: Transport, target: str, method: str = "GET") -> tuple[list[Response], Response]:
    """The interim answers and the final one."""
    with http.connect() as connection:
        connection.send(http.bytes_of(target, method))
        interim: list[Response] = []
        while (head := connection.read_head()).status < 200:
            interim.append(head)
        connection.read_body(head, method)
        if not head.closes:
            connection.send(http.bytes_of("/?form=empty"))
            assert connection.read_response().body == b"hinted"
        return interim, head


@pytest.mark.parametrize("form", ["list", "tuple", "generator", "bytes"])
def test_a_hint_comes_before_the_answer(http: Transport, form: str) -> None:
    (interim,), final = ask(http, f"/?form={form}")
    assert (interim.status, interim.reason) == (103, "Early Hints")
    assert interim.fields == [STYLE, SCRIPT], "nothing of the server's own"
    assert (final.status, final.body) == (200, b"hinted")
    assert final.all("Link") == []


def test_to_the_byte(http: Transport) -> None:
    """Before the application has answered: what a browser can use the time for."""
    with http.connect() as connection:
        connection.send(http.bytes_of("/"))
        expected = (
            b"HTTP/1.1 103 Early Hints\r\n"
            b"Link: </style.css>; rel=preload; as=style\r\nLink: </app.js>; rel=preload; as=script\r\n\r\n"
            b"HTTP/1.1 200 OK\r\n"
        )
        assert connection.read_exactly(len(expected)) == expected


def test_latin1(http: Transport) -> None:
    (interim,), _ = ask(http, "/?form=latin1")
    assert interim.fields == [("X-Name", "caf\u00e9")]


@pytest.mark.parametrize("times", [0, 2, 100])
def test_any_number(http: Transport, times: int) -> None:
    interim, final = ask(http, f"/?times={times}")
    assert [head.status for head in interim] == [103] * times
    assert final.body == b"hinted"


def test_no_fields_no_hint(http: Transport) -> None:
    interim, final = ask(http, "/?form=empty")
    assert interim == []
    assert final.body == b"hinted"


@pytest.mark.parametrize("path", ["/after-start", "/lazily"])
def test_until_the_head_is_out(http: Transport, path: str) -> None:
    (interim,), final = ask(http, path)
    assert interim.fields == [STYLE]
    assert final.body == b"hinted"


def test_after_the_head_it_raises(http: Transport) -> None:
    interim, final = ask(http, "/after-head")
    assert interim == []
    assert final.body == b"first early hints after the answer's head was sent"


def test_from_another_thread_it_raises(transport: Transport) -> None:
    assert b"another thread" in transport.request("/from-thread").body


def test_with_head(http: Transport) -> None:
    (interim,), final = ask(http, "/", "HEAD")
    assert (interim.status, final.status, final.body) == (103, 200, b"")


def test_an_error_after_a_hint_is_still_a_500(http: Transport, server: Server) -> None:
    mark = server.log.mark()
    (interim,), final = ask(http, "/then-fails")
    assert (interim.status, final.status) == (103, 500)
    server.log.wait_for("ValueError: planned, after a hint", mark)


def test_http_1_0_is_sent_none(http: Transport) -> None:
    """RFC 9110 §15.2: a server must not send a 1xx to an HTTP/1.0 client."""
    response = exchange(http.address, http_request(version="1.0"))
    assert (response.status, response.body) == (200, b"hinted")


@pytest.mark.parametrize("name", ["uwsgi-tcp", "uwsgi-unix"])
@pytest.mark.parametrize("path", ["/", "/after-start", "/lazily"])
def test_uwsgi_is_sent_none(server: Server, name: str, path: str) -> None:
    """A front that speaks uwsgi takes the first head for the only one."""
    response = Transport.of(server, name).request(path)
    assert (response.status, response.body) == (200, b"hinted")


@pytest.mark.parametrize("field", ["X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP", "Forwarded", "Via"])
def test_through_a_proxy_none_is_sent(http: Transport, field: str) -> None:
    """Many a proxy takes the first head for the only one."""
    response = http.request("/", fields={field: "http"})
    assert (response.status, response.body) == (200, b"hinted")


@pytest.mark.parametrize(
    ("when", "proxied", "status"), [("on", True, 103), ("on", False, 103), ("off", False, 200)]
)
def test_the_option(serve: Serve, when: str, proxied: bool, status: int) -> None:
    server = serve(APP, "--early-hints", when)
    with Connection(server.address) as connection:
        connection.send(http_request(fields={"Via": "1.1 proxy"} if proxied else {}))
        assert connection.read_head().status == status
    assert exchange(server.address, http_request(version="1.0")).body == b"hinted"


WRONG = [
    "crlf",
    "lf",
    "nul",
    "name",
    "bytes-crlf",
    "hop-by-hop",
    "encoding",
    "unicode",
    "number",
    "pair",
    "triple",
    "dict",
    "none",
]


@pytest.mark.parametrize("form", WRONG)
def test_what_no_head_may_hold_is_refused(transport: Transport, server: Server, form: str) -> None:
    server.allow("ValueError: early hints|TypeError")
    mark = server.log.mark()
    response = transport.request(f"/wrong?form={form}")
    assert response.status == 500
    assert response.get("X-Injected") is None
    server.log.wait_for("(?:ValueError|TypeError): .*(early hints|iterable)", mark)
    assert "hints.py" in server.log.text(mark), "the application's own frames"


def test_a_refused_hint_sends_nothing(http: Transport) -> None:
    interim, final = ask(http, "/recovered")
    assert interim == []
    assert b"control byte" in final.body
