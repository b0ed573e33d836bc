"""`pre_request` and `post_request` of a gunicorn.conf.py, around the application. Imported only where one is given."""

from __future__ import annotations

import inspect
import sys
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tapster.gunicorn.standins import Worker
    from tapster.loading.forms import WsgiCallable


class Request:
    """What the functions find of a request, with gunicorn's names."""

    def __init__(self, environ: dict[str, Any]) -> None:
        self._environ = environ
        self.method: str = environ["REQUEST_METHOD"]
        self.query: str = environ.get("QUERY_STRING", "")
        self.scheme: str = environ["wsgi.url_scheme"]

    @property
    def path(self) -> str:
        """The path as the client wrote it, without the query."""
        return self.uri.partition("?")[0]

    @property
    def uri(self) -> str:
        """The target as the client wrote it."""
        written = self._environ.get("RAW_URI") or self._environ.get("REQUEST_URI")
        if written:
            return written
        path = self._environ.get("SCRIPT_NAME", "") + self._environ.get("PATH_INFO", "")
        return f"{path}?{self.query}" if self.query else path

    @property
    def version(self) -> tuple[int, ...]:
        """The version of HTTP, as two numbers."""
        protocol: str = self._environ.get("SERVER_PROTOCOL", "HTTP/1.1")
        return tuple(int(number) for number in protocol.partition("/")[2].split("."))

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Names in capitals, and values."""
        plain = ("CONTENT_TYPE", "CONTENT_LENGTH")
        return [
            (name[5 if name.startswith("HTTP_") else 0 :].replace("_", "-"), value)
            for name, value in self._environ.items()
            if name.startswith("HTTP_") or (name in plain and value)
        ]

    @property
    def remote_addr(self) -> tuple[str, int]:
        """The client's address and port."""
        return self._environ.get("REMOTE_ADDR", ""), int(self._environ.get("REMOTE_PORT") or 0)

    peer_addr = remote_addr


class Response:
    """What `post_request` finds of an answer."""

    def __init__(self, request: Request) -> None:
        self.req = request
        self.status = ""
        self.headers: list[tuple[str, str]] = []
        self.sent = 0

    @property
    def status_code(self) -> int:
        """The number that the status begins with; 0 when there was no answer."""
        return int(self.status[:3] or 0)


class Body:
    """The body of an answer, and what is to be done when it is closed."""

    def __init__(self, body: Iterable[bytes], response: Response, closed: Callable[[], None]) -> None:
        self._body = body
        self._response = response
        self._closed = closed

    def __iter__(self) -> Iterator[bytes]:
        """Its parts, which are counted."""
        for part in self._body:
            self._response.sent += len(part)
            yield part

    def close(self) -> None:
        """Close the application's own body first."""
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            self._closed()


class Whole(Body):
    """A body whose number of parts is known, by which the server knows its length."""

    def __len__(self) -> int:
        """How many parts it has."""
        body: Any = self._body
        return len(body)


def wrap(
    application: WsgiCallable,
    before: Callable[..., object] | None,
    after: Callable[..., object] | None,
    worker_of: Callable[[], Worker | None],
) -> WsgiCallable:
    """The application with these functions around it. Without `after` its answers are passed on as they are."""
    count = _arguments(after) if after else 0

    def called(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        worker, request = worker_of(), Request(environ)
        if before is not None:
            before(worker, request)
        if worker is not None:
            worker.nr += 1
        if after is None:
            return application(environ, start_response)
        response = Response(request)
        closed = partial(_tell, after, (worker, request, environ, response)[:count])

        def begin(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            response.status, response.headers = status, headers
            return start_response(status, headers, *more)

        try:
            body = application(environ, begin)
        except BaseException:
            closed()
            raise
        kind = Whole if hasattr(body, "__len__") else Body
        return kind(body, response, closed)

    return called


def _tell(after: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    try:
        after(*arguments)
    except Exception:
        sys.stderr.write(f"tapster: post_request failed:\n{traceback.format_exc()}")


def _arguments(function: Callable[..., object]) -> int:
    """How many of worker, request, environ and response it takes: gunicorn has had two, three and four."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 4
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return 4
    return min(4, max(2, len(parameters)))
