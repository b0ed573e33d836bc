"""`wsgi.input` reads the same bytes when the application reads them while they arrive (`--stream-body`)."""

from __future__ import annotations

from tests.wsgi.test_input import (
    APP,
    test_a_large_body_arrives_whole,
    test_a_large_chunked_body_arrives_whole,
    test_as_bytesio,
    test_as_bytesio_when_chunked,
    test_lines_of_a_spooled_body,
    test_the_next_request_is_not_read,
    test_without_a_body_reading_gives_nothing,
)

OPTIONS = ("--stream-body",)

__all__ = [
    "APP",
    "OPTIONS",
    "test_a_large_body_arrives_whole",
    "test_a_large_chunked_body_arrives_whole",
    "test_as_bytesio",
    "test_as_bytesio_when_chunked",
    "test_lines_of_a_spooled_body",
    "test_the_next_request_is_not_read",
    "test_without_a_body_reading_gives_nothing",
]
