"""The page that all three applications answer with: the environ of the request, sorted."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

HEADERS = [("Content-Type", "text/html; charset=utf-8")]

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>The environ of this request</title>
<h1>The environ of this request</h1>
<table>
{rows}
</table>
</html>
"""


def render(environ: WSGIEnvironment) -> bytes:
    """The page as bytes. Whatever a client sent is escaped."""
    rows = "\n".join(
        f"<tr><th>{escape(name)}</th><td>{escape(_text(value))}</td></tr>"
        for name, value in sorted(environ.items())
    )
    return _PAGE.format(rows=rows).encode()


def _text(value: object) -> str:
    """A plain value as it is, and of an object (a stream, say) only the type: its address tells nothing."""
    if isinstance(value, type):
        return value.__name__
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, int, tuple)):
        return repr(value)
    return f"<{type(value).__name__}>"
