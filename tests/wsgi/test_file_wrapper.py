"""`wsgi.file_wrapper`: the same bytes whether sent by sendfile or read (PEP 3333 "Optional Platform-Specific File Handling")."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.transport import Transport

APP = "answers:application"


def content(size: int) -> bytes:
    return (bytes(range(256)) * (size // 256 + 1))[:size]


@pytest.mark.parametrize("kind", ["file", "memory"])
@pytest.mark.parametrize("size", [0, 1, 8192, 8193, 5_000_000])
def test_whole(transport: Transport, kind: str, size: int) -> None:
    assert transport.request(f"/file?kind={kind}&size={size}").body == content(size)


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_from_the_files_position(transport: Transport, kind: str) -> None:
    assert transport.request(f"/file?kind={kind}&size=300000&offset=1000").body == content(300_000)[1000:]


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_no_more_than_content_length(http: Transport, kind: str) -> None:
    response = http.request(f"/file?kind={kind}&size=300000&offset=5&length=1000")
    assert response.body == content(300_000)[5:1005]


def test_a_regular_file_gets_its_length(http: Transport) -> None:
    assert http.request("/file?kind=file&size=1000&offset=10").get("Content-Length") == "990"


def test_head(transport: Transport) -> None:
    assert transport.request("/file?kind=file&size=100000", "HEAD").body == b""
