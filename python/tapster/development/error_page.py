"""The application in place of one that cannot be loaded: answers every request with the reason."""

from __future__ import annotations

import html
import ipaddress
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{what}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 60em; padding: 0 1em; color: #222 }}
h1 {{ font-size: 1.3em; border-left: .3em solid #c00; padding-left: .6em; overflow-wrap: anywhere }}
pre {{ background: #f4f4f4; padding: 1em; overflow-x: auto; font-size: 14px }}
footer {{ color: #666; font-size: 14px }}
@media (prefers-color-scheme: dark) {{ body {{ background: #1b1b1b; color: #ddd }} pre {{ background: #282828 }} }}
</style>
<h1>{what}</h1>
{details}<footer>Shown because tapster runs with --reload, and only to this machine. The next save of a file tries again;
then load this page anew.</footer>
</html>
"""

_ELSEWHERE = "The application cannot be loaded. The reason is in the server's log.\n"

_PROXY_HEADERS = ("HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_FORWARDED_HOST", "HTTP_CF_CONNECTING_IP")
"""Whoever sends these is no browser on this machine."""


class ErrorPage:
    """A WSGI application that says why there is no other."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        """Answer 500: with the reason to a client on this machine, without it to others."""
        if not _is_local(environ):
            kind, body = "text/plain", _ELSEWHERE
        elif "text/html" in environ.get("HTTP_ACCEPT", ""):
            kind, body = "text/html", _page(self._text)
        else:
            kind, body = "text/plain", f"{self._text}\n"
        encoded = body.encode("utf-8", "backslashreplace")
        start_response(
            "500 Internal Server Error",
            [
                ("Content-Type", f"{kind}; charset=utf-8"),
                ("Content-Length", str(len(encoded))),
                ("Cache-Control", "no-store"),
                ("X-Content-Type-Options", "nosniff"),
                ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
            ],
        )
        return [encoded]


def _page(text: str) -> str:
    what, _, rest = text.partition("\n")
    trace, hint = rest, ""
    before, mark, after = rest.rpartition("hint: ")
    if mark and (not before or before.endswith("\n")):
        trace, hint = before, after
    details = f"<pre>{html.escape(trace.rstrip())}</pre>\n" if trace.strip() else ""
    details += f"<p>{html.escape(hint)}</p>\n" if hint else ""
    return _PAGE.format(what=html.escape(what), details=details)


def _is_local(environ: Mapping[str, Any]) -> bool:
    """Tell whether the request comes from this machine, by a name of this machine.

    The name matters because any web site may have its own name point here, and read what the browser gets.
    """
    if any(name in environ for name in _PROXY_HEADERS):
        return False
    forwarded = f"{environ.get('HTTP_X_FORWARDED_FOR', '')},{environ.get('HTTP_X_REAL_IP', '')}"
    addresses = [environ.get("REMOTE_ADDR", ""), *(part for part in forwarded.split(",") if part.strip())]
    return all(_is_loopback(address.strip()) for address in addresses) and _is_name_of_this_machine(
        environ.get("HTTP_HOST", "")
    )


def _is_loopback(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


def _is_name_of_this_machine(host: str) -> bool:
    name = host.partition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    name = name.lower().rstrip(".")
    return name in ("", "localhost") or name.endswith((".localhost", ".test")) or _is_loopback(name)
