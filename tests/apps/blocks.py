"""The numbered blocks of a download: made by the application, and again by the test that checks them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = bytes(range(256)) * 256


def numbered(count: int) -> Iterator[bytes]:
    """`count` blocks of 64 KiB, each with its number in front."""
    for number in range(count):
        yield number.to_bytes(8, "big") + BLOCK[8:]
