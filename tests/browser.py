"""A client with a memory: cookies, redirects, CSRF tokens, file uploads. For the tests of frameworks and nginx."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urljoin, urlsplit

from tests.wire import Response, chunked, exchange, http_request

if TYPE_CHECKING:
    from tests.address import Address

BOUNDARY = "tapster-boundary-7d1c"


@dataclass
class Browser:
    """Talks to one address under one name; each request has a connection of its own."""

    address: Address
    host: str = "localhost"
    fields: dict[str, str] = field(default_factory=dict[str, str])
    cookies: dict[str, str] = field(default_factory=dict[str, str])

    def get(self, path: str) -> Response:
        """A page, after at most five redirects."""
        return self._follow(path, self._request("GET", path))

    def post(self, path: str, form: dict[str, str]) -> Response:
        """A form, and the page that follows."""
        body = urlencode({**form, **self._token(path)}).encode()
        fields = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._follow(path, self._request("POST", path, fields, body))

    def upload(self, path: str, name: str, content: bytes, in_chunks: bool = False) -> Response:
        """A file in a multipart form; `in_chunks` sends it without a Content-Length."""
        body = multipart(self._token(path), name, content)
        fields = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        if in_chunks:
            fields["Transfer-Encoding"] = "chunked"
            body = chunked(*(body[start : start + 50_000] for start in range(0, len(body), 50_000)))
        return self._request("POST", path, fields, body)

    def post_json(self, path: str, text: str) -> Response:
        """JSON as it is given."""
        return self._request("POST", path, {"Content-Type": "application/json"}, text.encode())

    def _token(self, path: str) -> dict[str, str]:
        """Django's protection against forged forms, when a page has set its cookie."""
        token = self.cookies.get("csrftoken")
        return {"csrfmiddlewaretoken": token} if token and path else {}

    def _follow(self, path: str, response: Response) -> Response:
        for _ in range(5):
            location = response.get("Location")
            if response.status not in (301, 302, 303, 307) or location is None:
                return response
            parts = urlsplit(urljoin(path, location))
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            response = self._request("GET", path)
        raise AssertionError(f"too many redirects, the last to {path}")

    def _request(
        self, method: str, path: str, fields: dict[str, str] | None = None, body: bytes | None = None
    ) -> Response:
        given = {"Host": self.host, **self.fields, **(fields or {})}
        if self.cookies:
            given["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        response = exchange(self.address, http_request(method, path, given, body), method, timeout=30.0)
        for line in response.all("Set-Cookie"):
            self.cookies.update({name: morsel.value for name, morsel in SimpleCookie(line).items()})
        return response


def multipart(values: dict[str, str], name: str, content: bytes) -> bytes:
    """A form with plain values and the file `file` (RFC 7578)."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in values.items()
    ]
    head = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: application/octet-stream'
    return b"".join(
        [*parts, f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode(), content, f"\r\n--{BOUNDARY}--\r\n".encode()]
    )


def text_of(response: Response) -> str:
    """The body, with the white space between words made single."""
    return re.sub(r"\s+", " ", response.body.decode())
