"""`--mount`: applications below prefixes of paths, as one callable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tapster.loading.forms import WsgiCallable


def dispatcher(default: WsgiCallable | None, mounts: Sequence[tuple[str, WsgiCallable]]) -> WsgiCallable:
    """An application that calls the one with the longest prefix, or `default`; without that it answers 404."""
    ordered = sorted(mounts, key=lambda mount: len(mount[0]), reverse=True)

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        script, path = environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", "")
        for prefix, mounted in ordered:
            # A web server may have cut the prefix off already.
            if script == prefix:
                return mounted(environ, start_response)
            if path == prefix or path.startswith(f"{prefix}/"):
                environ["SCRIPT_NAME"] = script + prefix
                environ["PATH_INFO"] = path[len(prefix) :]
                return mounted(environ, start_response)
        if default is not None:
            return default(environ, start_response)
        body = b"no application is mounted here\n"
        start_response("404 Not Found", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]

    return application
