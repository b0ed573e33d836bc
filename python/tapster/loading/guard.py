"""Catches a module that starts a server of its own while it is imported, and so would never return.

The functions below are the ones that such a module calls last. While an application is being loaded they
raise instead of serving; in other threads (a metrics exporter, say) and afterwards they work as ever.
"""

from __future__ import annotations

import functools
import sys
import threading
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType, TracebackType

_SERVERS = {
    "bjoern": "run",
    "cheroot.server": "HTTPServer.serve",
    "cherrypy": "quickstart",
    "eventlet.wsgi": "server",
    "flask.app": "Flask.run",
    "gevent.baseserver": "BaseServer.serve_forever",
    "socketserver": "BaseServer.serve_forever",
    "uvicorn.main": "run",
    "waitress": "serve",
    "werkzeug.serving": "run_simple",
}
"""Module and blocking function. Bottle and wsgiref end in socketserver's."""


class ServerStarted(BaseException):
    """Raised in place of serving; not an `Exception`, so that the application does not swallow it."""


class _Patch(NamedTuple):
    owner: ModuleType | type
    attribute: str
    original: Any
    replacement: Any


class Guard:
    """While entered, this thread cannot start any of the known servers."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self._active = False
        self._patches: list[_Patch] = []

    def __enter__(self) -> Guard:
        self._active = True
        for name in _SERVERS:
            module = sys.modules.get(name)
            if module is not None:
                self.patch(module)
        sys.meta_path.insert(0, self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._active = False
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        for patch in self._patches:
            if patch.owner.__dict__.get(patch.attribute) is patch.replacement:
                setattr(patch.owner, patch.attribute, patch.original)
        self._patches.clear()

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Let the other finders find a module of the table, and have it patched when it has run."""
        if name not in _SERVERS:
            return None
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec = None if find is None else find(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _PatchingLoader(spec.loader, self)
                return spec
        return None

    def patch(self, module: ModuleType) -> None:
        """Put a function that raises in the place of the module's blocking one, if it has it."""
        *owners, attribute = _SERVERS[module.__name__].split(".")
        owner: Any = module
        for name in owners:
            owner = getattr(owner, name, None)
        original = getattr(owner, "__dict__", {}).get(attribute)
        if original is not None:
            replacement = self._refusing(original)
            setattr(owner, attribute, replacement)
            self._patches.append(_Patch(owner, attribute, original, replacement))

    def _refusing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def serve(*args: Any, **kwargs: Any) -> Any:
            if self._active and threading.get_ident() == self._thread:
                raise ServerStarted
            return original(*args, **kwargs)

        return serve


class _PatchingLoader:
    """Runs a module with its own loader, and patches it then."""

    def __init__(self, loader: Any, guard: Guard) -> None:
        self._loader = loader
        self._guard = guard

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._guard.patch(module)
