"""Servers that an application starts by itself while it is loaded."""

from __future__ import annotations

import importlib
import socketserver
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from tapster.loading.guard import Guard, ServerStarted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def waitress(tmp_path: Path) -> Iterator[None]:
    """A module with the name of a known server."""
    (tmp_path / "waitress.py").write_text("def serve(app):\n    return 'served'\n")
    before = sys.modules.pop("waitress", None)
    sys.path.insert(0, str(tmp_path))
    importlib.invalidate_caches()
    yield
    sys.path.remove(str(tmp_path))
    del sys.modules["waitress"]
    if before is not None:
        sys.modules["waitress"] = before


def test_module_imported_meanwhile(waitress: None) -> None:
    """A server imported under guard refuses, keeps its own loader, and works afterwards under any name."""
    with Guard():
        module = importlib.import_module("waitress")
        kept = module.serve
        with pytest.raises(ServerStarted):
            module.serve(None)
        assert module.__loader__ is getattr(module.__spec__, "loader", None)
        assert type(module.__loader__).__module__.startswith("_frozen_importlib")
    assert module.serve(None) == "served"
    assert kept(None) == "served"


def test_module_imported_before() -> None:
    """A module that was there before is patched and restored; the import system is as before too."""
    original = socketserver.BaseServer.serve_forever
    finders = list(sys.meta_path)
    with Guard():
        assert socketserver.BaseServer.serve_forever is not original
    assert socketserver.BaseServer.serve_forever is original
    assert sys.meta_path == finders


def test_other_threads(waitress: None) -> None:
    """Another thread may serve: it does not keep the import from returning."""
    results: list[object] = []
    with Guard():
        module = importlib.import_module("waitress")
        thread = threading.Thread(target=lambda: results.append(module.serve(None)))
        thread.start()
        thread.join()
    assert results == ["served"]


def test_restored_after_an_error() -> None:
    """An import that fails leaves nothing behind."""
    original = socketserver.BaseServer.serve_forever
    with pytest.raises(ValueError, match="broken"), Guard():
        raise ValueError("broken")
    assert socketserver.BaseServer.serve_forever is original
