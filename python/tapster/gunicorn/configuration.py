"""gunicorn's configuration is Python: this executes it in the supervisor, and says what it sets and in which lines.

Called by the native module. Modules of the application that the file imports are forgotten, as those of `--hooks` are.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import os
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tapster._hooks import HookError, application_imports, refuse_threads

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULT = "gunicorn.conf.py"

namespace: dict[str, Any] = {}
"""The globals of the file as it was executed last; empty when there is none."""


def read(location: str | None, directory: str | None) -> str | None:
    """Execute what `location` names (a path, `file:PATH`, `python:MODULE`), or `gunicorn.conf.py` if there is one.

    Relative paths are those of `directory`. Return JSON as `Files::gunicorn` wants it, None without a file. Raises
    `HookError`, whose text is meant for the operator, and whatever the file raises.
    """
    start = directory or os.getcwd()
    if location is None and not os.path.exists(os.path.join(start, DEFAULT)):
        return None
    with application_imports([start]):
        path = _path(location or DEFAULT, start)
        source = path.read_bytes()
        executed: dict[str, Any] = {"__name__": "__config__", "__file__": str(path)}
        # What the import system would do, without its bytecode cache: a file may change twice in a second.
        exec(compile(source, str(path), "exec"), executed)  # noqa: S102
    refuse_threads(f"the configuration {location or DEFAULT}")
    namespace.clear()
    namespace.update(executed)
    return json.dumps({"path": location or DEFAULT, "values": _values(executed, _lines(source))})


def _path(location: str, start: str) -> Path:
    kind, colon, rest = location.partition(":")
    if colon and kind == "python":
        importlib.invalidate_caches()
        spec = importlib.util.find_spec(rest)
        if spec is None or spec.origin is None or not spec.has_location:
            raise HookError(f"-c {location}: there is no module {rest} in {start} or on the import path")
        return Path(spec.origin)
    path = Path(start, rest if colon and kind == "file" else location)
    if path.suffix == ".toml":
        raise HookError(
            f"-c {location}: gunicorn's configuration is Python\nhint: for options of tapster set TAPSTER_CONFIG={location}"
        )
    if not path.is_file():
        raise HookError(f"-c {location}: there is no such file")
    return path


def _values(executed: dict[str, Any], lines: dict[str, int]) -> list[list[Any]]:
    """Name, line and value of each global; line 0 where the file does not say the name itself."""
    return [
        [name, lines.get(name, 0), _plain(value)]
        for name, value in executed.items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    ]


def _plain(value: Any) -> Any:
    """The value as JSON has it; what JSON has not is named."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in cast("Iterable[Any]", value)]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in cast("dict[Any, Any]", value).items()}
    if isinstance(value, type):
        return {"other": f"{value.__module__}.{value.__qualname__}"}
    if callable(value):
        return {"function": getattr(value, "__name__", repr(value))}
    return {"other": repr(value)}


def _lines(source: bytes) -> dict[str, int]:
    """The last line in which the file sets each of its globals."""
    lines: dict[str, int] = {}
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            lines[node.name] = max(node.lineno, lines.get(node.name, 0))
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            lines[node.id] = max(node.lineno, lines.get(node.id, 0))
        waiting.extend(ast.iter_child_nodes(node))
    return lines


def function(name: str) -> Any:
    """The function of this name in the file, or None."""
    found = namespace.get(name)
    return found if callable(found) else None


def describe(error: BaseException) -> str:
    """What to say of a file that cannot be executed: the sentence, or the traceback from the file on."""
    if isinstance(error, HookError):
        return str(error)
    import traceback

    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    text = "".join(traceback.format_exception(type(error), error, frames)).rstrip()
    return f"gunicorn's configuration cannot be executed: {type(error).__name__}: {error}\n{text}"


def try_read(location: str | None, directory: str | None) -> tuple[str | None, str | None]:
    """What `read` returns, and None; or None, and what to say of its failure."""
    try:
        return read(location, directory), None
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return None, describe(error)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
