"""One route for each way of answering, right and wrong. What fails on purpose says "planned"."""

from __future__ import annotations

import io
import sys
import tempfile
from functools import partial
from typing import TYPE_CHECKING, Any

from routing import query, routed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PLAIN = ("Content-Type", "text/plain")


class PlannedError(Exception):
    """Raised on purpose."""


def body_of(*items: Any, status: str = "200 OK", fields: tuple[tuple[str, str], ...] = ()) -> WSGIApplication:
    """An application that answers with a list of these items."""

    def application(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, [PLAIN, *fields])
        return list(items)

    return application


def write_only(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    write = start_response("200 OK", [PLAIN])
    write(b"one ")
    write(b"two")
    return []


def write_and_return(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [PLAIN])(b"written ")
    return [b"returned"]


def write_with_length(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [PLAIN, ("Content-Length", "7")])(b"written")
    return []


def exc_info_before(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [PLAIN, ("X-First", "1")])
    try:
        raise PlannedError("planned, before the head is sent")
    except PlannedError:
        start_response("503 Replaced", [PLAIN, ("X-Second", "2")], sys.exc_info())
    return [b"replaced"]


def exc_info_after(_: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", [PLAIN])
    yield b"first"
    try:
        raise PlannedError("planned, after the head is sent")
    except PlannedError:
        start_response("500 Too Late", [PLAIN], sys.exc_info())
    yield b"never"


def called_twice(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [PLAIN])
    start_response("201 Again", [PLAIN])
    return [b"never"]


def never_called(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    return [b"never"]


def never_called_empty(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    return []


def lazy(_: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    start_response("201 Lazy", [PLAIN, ("X-Lazy", "yes")])
    yield b"a"
    yield b""
    yield b"b"


def replaced_after_empty(_: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    """An empty item sends no head (PEP 3333), so it can still be replaced."""
    start_response("200 OK", [PLAIN])
    yield b""
    try:
        raise PlannedError("planned, after an empty item")
    except PlannedError:
        start_response("202 Replaced", [PLAIN], sys.exc_info())
    yield b"replaced"


def raises_at_once(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    raise PlannedError("planned, at once")


def raises_after_start(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [PLAIN])
    raise PlannedError("planned, after start_response")


def raises_at_first_next(_: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", [PLAIN])
    raise PlannedError("planned, at the first next()")
    yield b"never"


def raises_midway(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    length = query(environ).get("length")
    start_response("200 OK", [PLAIN, *([("Content-Length", length)] if length else [])])
    yield b"partial"
    raise PlannedError("planned, midway")


def raises_base(kind: type[BaseException], environ: WSGIEnvironment, start_response: StartResponse) -> Any:
    raise kind("planned")


def recurses(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
    """Deeper and deeper, through one line: Python writes such a traceback short."""
    return recurses(environ, start_response)


def status_given(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response(query(environ)["status"], [PLAIN])
    return [b"body"]


def field_given(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    given = query(environ)
    start_response("200 OK", [PLAIN, (given["name"], given["value"])])
    return [b"body"]


def status_not_text(_: WSGIEnvironment, start_response: Any) -> Iterable[bytes]:
    start_response(b"200 OK", [PLAIN])
    return [b"body"]


def field_not_text(_: WSGIEnvironment, start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [PLAIN, ("X-Number", 5)])
    return [b"body"]


def generator_of(*items: Any) -> WSGIApplication:
    """An application that yields these items."""

    def application(_: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [PLAIN])
        yield from items

    return application


class Sized:
    """An iterable that is no list, and says how many items it has."""

    def __init__(self, *items: bytes) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._items)


def without_list(value: Any) -> Any:
    """An application that returns bytes or text itself: the first mistake of many."""

    def application(_: WSGIEnvironment, start_response: StartResponse) -> Any:
        start_response("200 OK", [PLAIN])
        return value

    return application


class IterReturnsList:
    """The other first mistake: `__iter__` must return an iterator."""

    def __init__(self, _: WSGIEnvironment, start_response: StartResponse) -> None:
        start_response("200 OK", [PLAIN])

    def __iter__(self) -> Any:
        return [b"a list, not an iterator"]


def file_wrapper(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """A file of `size` bytes, from `offset`; `kind` is file, memory or unseekable."""
    given = query(environ)
    size, offset = int(given["size"]), int(given.get("offset", "0"))
    content = bytes(range(256)) * (size // 256 + 1)
    memory = given.get("kind") == "memory"
    source: Any = io.BytesIO(content[:size]) if memory else tempfile.TemporaryFile()  # noqa: SIM115
    if not memory:
        source.write(content[:size])
        source.flush()
    source.seek(offset)
    length = [("Content-Length", given["length"])] if "length" in given else []
    start_response("200 OK", [PLAIN, *length])
    return environ["wsgi.file_wrapper"](source, int(given.get("block", "8192")))


def errors_text(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    environ["wsgi.errors"].write("caf\u00e9 \u2603 planned snowman\n")
    environ["wsgi.errors"].writelines(["line one\n", "line two\n"])
    environ["wsgi.errors"].flush()
    print("printed by the application")
    start_response("200 OK", [PLAIN])
    return [b"written"]


application = routed(
    {
        "/list": body_of(b"hello ", b"world"),
        "/one": body_of(b"hello"),
        "/tuple": lambda _, start: (start("200 OK", [PLAIN]), (b"a", b"b"))[1],
        "/empty-list": body_of(),
        "/empty-items": body_of(b"", b"", b""),
        "/large-list": body_of(*[bytes([n]) * 100_000 for n in range(20)]),
        "/write": write_only,
        "/write-and-return": write_and_return,
        "/write-with-length": write_with_length,
        "/exc-info-before": exc_info_before,
        "/exc-info-after": exc_info_after,
        "/twice": called_twice,
        "/never": never_called,
        "/never-empty": never_called_empty,
        "/none": lambda _, start: (start("200 OK", [PLAIN]), None)[1],  # type: ignore[dict-item]
        "/lazy": lazy,
        "/replaced-after-empty": replaced_after_empty,
        "/raise": raises_at_once,
        "/raise-after-start": raises_after_start,
        "/raise-first-next": raises_at_first_next,
        "/raise-midway": raises_midway,
        "/system-exit": partial(raises_base, SystemExit),
        "/keyboard-interrupt": partial(raises_base, KeyboardInterrupt),
        "/generator-exit": partial(raises_base, GeneratorExit),
        "/recursion": recurses,
        "/status": status_given,
        "/field": field_given,
        "/status-bytes": status_not_text,
        "/field-number": field_not_text,
        "/text-item-list": body_of("text"),
        "/text-item-generator": generator_of("text"),
        "/text-item-second": generator_of(b"first", "text"),
        "/none-item": generator_of(None),
        "/bytearray-item": body_of(bytearray(b"mutable")),
        "/memoryview-item": generator_of(memoryview(b"a view")),
        "/bytes-subclass-item": body_of(type("Bytes", (bytes,), {})(b"a subclass")),
        "/sized-one": without_list(Sized(b"one item")),
        "/sized-two": without_list(Sized(b"two ", b"items")),
        "/bytes": without_list(b"hello"),
        "/text": without_list("hello"),
        "/iter-list": IterReturnsList,  # type: ignore[dict-item]
        "/short": body_of(b"short", fields=(("Content-Length", "50"),)),
        "/long": body_of(b"exact", b"too much", fields=(("Content-Length", "5"),)),
        "/length-zero": body_of(fields=(("Content-Length", "0"),)),
        "/two-lengths": body_of(b"x", fields=(("Content-Length", "1"), ("Content-Length", "2"))),
        "/204": body_of(status="204 No Content"),
        "/204-body": body_of(b"never", status="204 No Content"),
        "/204-length": body_of(status="204 No Content", fields=(("Content-Length", "3"),)),
        "/304": body_of(status="304 Not Modified", fields=(("ETag", '"a"'),)),
        "/304-body": body_of(b"never", status="304 Not Modified", fields=(("ETag", '"a"'),)),
        "/304-length": body_of(status="304 Not Modified", fields=(("Content-Length", "5"),)),
        "/cookies": body_of(b"x", fields=(("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"))),
        "/file": file_wrapper,
        "/errors": errors_text,
    }
)
