"""Static files as browsers and proxies ask for them: validators, ranges, encodings, names; and what is left to the
application.
"""

from __future__ import annotations

import email.message
import os
import time
from typing import TYPE_CHECKING, cast

import pytest

from tests.front.conftest import LARGE, LAST_MODIFIED, SMALL, put
from tests.server import Server, run
from tests.wire import Connection, Response, exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

CSS = "/static/css/a.css"


def get(server: Server, target: str, fields: dict[str, str] | None = None, method: str = "GET") -> Response:
    return exchange(server.address, http_request(method, target, fields), method)


def test_a_small_file(server: Server) -> None:
    found = get(server, CSS)
    assert (found.status, found.body) == (200, SMALL)
    assert found.get("Content-Type") == "text/css; charset=utf-8"
    assert found.get("Last-Modified") == LAST_MODIFIED
    assert found.get("Accept-Ranges") == "bytes"
    assert found.get("Cache-Control") == "no-cache"
    assert found.get("Vary") is None
    assert (found.get("ETag") or "").startswith('"')
    assert found.get("Server") == "tapster" and found.get("Date")


def test_a_large_file_arrives_whole(server: Server) -> None:
    found = get(server, "/static/large.bin")
    assert found.body == LARGE
    assert found.get("Content-Type") == "application/octet-stream"


def test_an_empty_file(server: Server) -> None:
    found = get(server, "/static/empty.txt")
    assert (found.status, found.body, found.get("Content-Length")) == (200, b"", "0")


def test_head_tells_what_get_would(server: Server) -> None:
    for target in (CSS, "/static/large.bin"):
        whole, head = get(server, target), get(server, target, method="HEAD")
        assert head.body == b""
        assert [field for field in head.fields if field[0] != "Date"] == [
            field for field in whole.fields if field[0] != "Date"
        ]


def test_names_are_decoded_once(server: Server) -> None:
    assert get(server, "/static/with%20space%20&%20caf%C3%A9.txt").body == b"odd name"
    assert get(server, "/%73tatic/css/a%2Ecss").body == SMALL
    assert get(server, "/static/css%252Fa.css").status == 404
    assert get(server, "/static/css/a.css?version=1").body == SMALL


def test_one_file_at_one_path(server: Server) -> None:
    found = get(server, "/favicon.ico")
    assert (found.body, found.get("Content-Type")) == (b"icon", "image/x-icon")
    assert get(server, "/favicon.ico/x").status == 404
    assert get(server, "/favicon.icon").status == 404


def test_a_client_that_has_it_is_told_so(server: Server) -> None:
    etag = get(server, CSS).get("ETag") or ""
    for fields in (
        {"If-None-Match": etag},
        {"If-None-Match": f'"other", W/{etag}'},
        {"If-None-Match": "*"},
        {"If-Modified-Since": LAST_MODIFIED},
    ):
        found = get(server, CSS, fields)
        assert (found.status, found.body, found.get("ETag")) == (304, b"", etag), fields
        assert found.get("Content-Length") is None
        assert found.get("Cache-Control") == "no-cache"
    for fields in (
        {"If-None-Match": '"other"'},
        {"If-None-Match": '"other"', "If-Modified-Since": LAST_MODIFIED},
        {"If-Modified-Since": "Fri, 31 Dec 2021 23:59:59 GMT"},
        {"If-Modified-Since": "no date"},
    ):
        assert get(server, CSS, fields).status == 200, fields


def test_a_condition_that_does_not_hold(server: Server) -> None:
    assert get(server, CSS, {"If-Match": '"other"'}).status == 412
    assert get(server, CSS, {"If-Unmodified-Since": "Fri, 31 Dec 2021 23:59:59 GMT"}).status == 412
    assert get(server, CSS, {"If-Match": get(server, CSS).get("ETag") or ""}).status == 200


@pytest.mark.parametrize("target", [CSS, "/static/large.bin"])
def test_a_range(server: Server, target: str) -> None:
    whole = get(server, target)
    size = len(whole.body)
    for text, start, end in (
        ("0-0", 0, 1),
        ("5-", 5, size),
        ("-7", size - 7, size),
        (f"3-{size + 9}", 3, size),
        (f"-{size + 9}", 0, size),
    ):
        found = get(server, target, {"Range": f"bytes={text}"})
        assert (found.status, found.body) == (206, whole.body[start:end]), text
        assert found.get("Content-Range") == f"bytes {start}-{end - 1}/{size}"
        assert found.get("ETag") == whole.get("ETag")
    for text in (f"{size}-", "-0", "18446744073709551615-"):
        found = get(server, target, {"Range": f"bytes={text}"})
        assert (found.status, found.get("Content-Range")) == (416, f"bytes */{size}"), text
    for text in ("bytes=2-1", "bytes=0-1,1-4", "bytes=x-", "lines=0-1", "bytes=99999999999999999999-"):
        assert get(server, target, {"Range": text}).status == 200, text
    etag = whole.get("ETag") or ""
    assert get(server, target, {"Range": "bytes=0-1", "If-Range": etag}).status == 206
    assert get(server, target, {"Range": "bytes=0-1", "If-Range": '"other"'}).status == 200


@pytest.mark.parametrize("target", [CSS, "/static/large.bin"])
def test_several_ranges(server: Server, target: str) -> None:
    whole = get(server, target)
    size = len(whole.body)
    found = get(server, target, {"Range": "bytes=0-2, 5-5,-4"})
    assert found.status == 206 and found.get("Content-Range") is None
    assert found.get("ETag") == whole.get("ETag")
    message = email.message_from_bytes(
        f"Content-Type: {found.get('Content-Type')}\r\n\r\n".encode() + found.body
    )
    assert message.get_content_type() == "multipart/byteranges"
    parts = message.get_payload()
    assert isinstance(parts, list)
    seen: list[str] = []
    for part in cast("list[email.message.Message]", parts):
        assert part["Content-Type"] == whole.get("Content-Type")
        seen.append(part["Content-Range"])
    assert seen == [f"bytes 0-2/{size}", f"bytes 5-5/{size}", f"bytes {size - 4}-{size - 1}/{size}"]
    for data in (whole.body[:3], whole.body[5:6], whole.body[-4:]):
        assert b"\r\n\r\n" + data + b"\r\n--" in found.body
    head = get(server, target, {"Range": "bytes=0-2, 5-5,-4"}, method="HEAD")
    assert (head.status, head.get("Content-Length")) == (206, str(len(found.body)))
    one = get(server, target, {"Range": f"bytes=0-2,{size}-"})
    assert (one.status, one.body) == (206, whole.body[:3])
    none = get(server, target, {"Range": f"bytes={size}-,{size + 5}-"})
    assert (none.status, none.get("Content-Range")) == (416, f"bytes */{size}")


def test_ranges_are_no_way_to_have_more_sent(server: Server) -> None:
    for text in ("0-,0-,0-", "0-5,5-9", ",".join(f"{number}-{number}" for number in range(0, 20, 2))):
        assert get(server, "/static/large.bin", {"Range": f"bytes={text}"}).body == LARGE, text


@pytest.mark.parametrize(
    ("accept", "encoding", "body"),
    [
        ("gzip, deflate, br, zstd", "br", b"brotli"),
        ("gzip, zstd", "zstd", b"zstandard"),
        ("gzip", "gzip", b"gzipped"),
        ("br;q=0, gzip", "gzip", b"gzipped"),
        ("identity", None, b"plain" * 100),
        ("", None, b"plain" * 100),
    ],
)
def test_what_lies_ready_made_beside_it(
    server: Server, accept: str, encoding: str | None, body: bytes
) -> None:
    found = get(server, "/static/packed.js", {"Accept-Encoding": accept})
    assert (found.get("Content-Encoding"), found.body) == (encoding, body)
    assert found.get("Vary") == "Accept-Encoding"
    assert found.get("Content-Type") == "text/javascript; charset=utf-8"
    same = get(
        server, "/static/packed.js", {"Accept-Encoding": accept, "If-None-Match": found.get("ETag") or ""}
    )
    assert (same.status, same.get("Vary")) == (304, "Accept-Encoding")


def test_encodings_have_tags_of_their_own(server: Server) -> None:
    tags = {
        get(server, "/static/packed.js", {"Accept-Encoding": accept}).get("ETag")
        for accept in ("br", "gzip", "x")
    }
    assert len(tags) == 3


def test_a_name_with_a_hash_is_kept_for_ever(server: Server) -> None:
    found = get(server, "/static/app.0123456789ab.css")
    assert found.get("Cache-Control") == "public, max-age=31536000, immutable"


def test_a_directory_is_its_index(server: Server) -> None:
    assert get(server, "/static/page/").body == b"<h1>page</h1>"
    found = get(server, "/static/page?a=b")
    assert (found.status, found.get("Location")) == (301, "/static/page/?a=b")
    assert get(server, "/static/css/").status == 404
    assert get(server, "/static/css").status == 404


def test_rules_and_names_of_an_index(site: Path) -> None:
    public = site / "public"
    options = ("--static", f"/static/={public}", "--static-index", "page.html,a.css")
    rules = ("*.js=max-age=60", "/static/css/**=private, max-age=5", "*.bin=off")
    given = [word for rule in rules for word in ("--static-cache-control", rule)]
    with Server.start("plain:application", *options, *given) as server:
        kept = {
            name: get(server, f"/static/{name}").get("Cache-Control")
            for name in ("packed.js", "css/a.css", "large.bin", "empty.txt", "app.0123456789ab.css")
        }
        assert list(kept.values()) == [
            "max-age=60",
            "private, max-age=5",
            None,
            "no-cache",
            "public, max-age=31536000, immutable",
        ]
        found = get(server, "/static/css/")
        assert (found.body, found.get("Content-Type")) == (SMALL, "text/css; charset=utf-8")
        assert get(server, "/static/page/").status == 404
    with Server.start("plain:application", *options[:2], "--static-index", "off") as server:
        assert get(server, "/static/page/").status == 404
        assert get(server, "/static/page").status == 404


def test_other_methods_are_refused_for_what_is_a_file(server: Server) -> None:
    found = exchange(server.address, http_request("POST", CSS, body=b"x"))
    assert (found.status, found.get("Allow")) == (405, "GET, HEAD")


def test_what_is_no_file_is_for_the_application(server: Server) -> None:
    for target in ("/static/missing.css", "/static/", "/statics/a", "/hello", "/static"):
        found = get(server, target)
        assert found.body in (b"hello", b"no such route"), target
    found = exchange(server.address, http_request("POST", "/echo", body=b"to the application"))
    assert found.body == b"to the application"


def test_a_changed_file_is_seen(server: Server, site: Path) -> None:
    path = site / "public" / "changes.txt"
    put(path, b"one")
    before = get(server, "/static/changes.txt")
    put(path, b"another", 1640995300)
    deadline = time.monotonic() + 20
    while (after := get(server, "/static/changes.txt")).body == before.body:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (before.body, after.body) == (b"one", b"another")
    assert before.get("ETag") != after.get("ETag")
    os.unlink(path)
    while get(server, "/static/changes.txt").status == 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_files_and_application_take_turns_on_a_connection(client: Connection) -> None:
    for _ in range(3):
        client.send(http_request(target=CSS) + http_request("POST", "/echo", body=b"x" * 70000))
        client.send(http_request(target="/static/large.bin") + http_request(target="/hello"))
        bodies = [client.read_response().body for _ in range(4)]
        assert bodies == [SMALL, b"x" * 70000, LARGE, b"hello"]


def test_a_body_that_nobody_reads_is_no_request(client: Connection) -> None:
    """CVE-2025-4366: the body of a GET that is answered at once must not become the next request."""
    inside = http_request(target="/calls")
    client.send(http_request(target=CSS, body=inside) + http_request(target="/hello"))
    assert [client.read_response().body for _ in range(2)] == [SMALL, b"hello"]
    client.send(
        http_request(target=CSS, fields={"Content-Length": "9999999"})
        + inside
        + http_request(target="/hello")
    )
    found = client.read_response()
    assert found.closes
    client.half_close()
    client.assert_closed()


def test_old_clients(server: Server) -> None:
    with Connection(server.address) as connection:
        connection.send(f"GET {CSS} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".encode())
        found = connection.read_response()
        assert (found.body, found.closes) == (SMALL, False)
        connection.send(f"GET {CSS} HTTP/1.0\r\n\r\n".encode())
        assert connection.read_response().closes
        connection.assert_closed()


def test_a_line_in_the_access_log(server: Server) -> None:
    mark = server.log.mark()
    get(server, CSS + "?logged", {"User-Agent": "tester"})
    server.log.wait_for(
        r'^127\.0\.0\.1 .*"GET /static/css/a\.css\?logged HTTP/1\.1" 200 20 "-" "tester"', mark
    )


def test_a_directory_that_is_not_there_is_said(tmp_path: Path) -> None:
    done = run("plain:application", "--bind", "127.0.0.1:0", "--static", f"/static/={tmp_path}/none")
    assert done.returncode == 1
    assert "--static /static/=" in done.stderr and "No such file" in done.stderr


def test_a_pattern_that_is_none_is_said(tmp_path: Path) -> None:
    options = ("--static", f"/static/={tmp_path}", "--static-cache-control", "a**b=no-cache")
    done = run("plain:application", "--bind", "127.0.0.1:0", *options)
    assert done.returncode == 1
    assert "--static-cache-control a**b" in done.stderr


def test_an_option_that_is_wrong_is_said() -> None:
    done = run("plain:application", "--static", "static")
    assert done.returncode == 2
    assert "PREFIX=DIR" in done.stderr or "such as /static/=./static" in done.stderr
