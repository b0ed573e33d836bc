"""Imports the module or file of an application. What cannot be found is explained by `missing_module.py`."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from importlib.machinery import SourceFileLoader
from typing import TYPE_CHECKING, Any

from tapster.loading.errors import AppError, app_code

if TYPE_CHECKING:
    from types import ModuleType

    from tapster.loading.spec import Spec


def import_target(spec: Spec) -> ModuleType:
    """Import what `spec` names. Raises `AppError`."""
    if spec.is_path:
        return _import_path(spec)
    return _import_name(spec)


def put_first_on_path(directory: str) -> None:
    """Make `directory` the first place where modules are looked for."""
    directory = os.path.abspath(directory)
    sys.path[:] = [directory, *(entry for entry in sys.path if entry != directory)]
    importlib.invalidate_caches()


def _import_name(spec: Spec) -> ModuleType:
    name = spec.target
    with app_code(f"importing `{name}`"):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            from tapster.loading.missing_module import missing_module
            from tapster.loading.tracebacks import app_lines

            # With a frame of the application in it, the failure is an import inside the application.
            if app_lines(error) or error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise
            raise missing_module(error.name, spec) from None


def _import_path(spec: Spec) -> ModuleType:
    path = os.path.abspath(spec.target)
    if os.path.isdir(path) and os.path.isfile(os.path.join(path, "__init__.py")):
        path = os.path.join(path, "__init__.py")
    if not os.path.isfile(path):
        from tapster.loading.missing_module import missing_file

        raise missing_file(path, spec)
    root, name = _package_root(path)
    put_first_on_path(root)
    with app_code(f"importing {spec.target}"):
        if all(part.isidentifier() for part in name.split(".")) and _finds(name, path):
            return importlib.import_module(name)
        return _import_by_location(os.path.basename(path), path)


def _package_root(path: str) -> tuple[str, str]:
    """The directory that must be on the import path for this file, and the module's name seen from there."""
    directory, filename = os.path.split(path)
    stem = os.path.splitext(filename)[0]
    parts = [] if stem == "__init__" else [stem]
    # The current directory is importable itself, even if a stray __init__.py makes it look like a package.
    while os.path.isfile(os.path.join(directory, "__init__.py")) and directory != os.getcwd():
        parent, package = os.path.split(directory)
        if not package.isidentifier():
            break
        directory = parent
        parts.insert(0, package)
    return directory, ".".join(parts)


def _finds(name: str, path: str) -> bool:
    """Whether importing `name` gives the file at `path`, and not another one of that name."""
    found = importlib.util.find_spec(name)
    origin = None if found is None else found.origin
    return origin is not None and os.path.realpath(origin) == os.path.realpath(path)


def _import_by_location(name: str, path: str) -> ModuleType:
    """Run a file that no `import` line can reach, under its file name, as `python FILE` would."""
    found = importlib.util.spec_from_file_location(name, path)
    if found is None and path.endswith(".wsgi"):
        found = importlib.util.spec_from_loader(name, SourceFileLoader(name, path))
    loader: Any = getattr(found, "loader", None)
    if found is None or loader is None:
        raise AppError(f"{path} is not a Python file", hint="the name of a Python file ends in .py")
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
