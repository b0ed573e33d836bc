"""Imports the module or file of an application, or says why it cannot be found."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import os
import pkgutil
import sys
from typing import TYPE_CHECKING, Any

from tapster.loading.errors import AppError, app_lines
from tapster.loading.failures import app_code

if TYPE_CHECKING:
    from types import ModuleType

    from tapster.loading.spec import Spec


def import_target(spec: Spec) -> ModuleType:
    """Import what `spec` names. Raises `AppError`."""
    if spec.is_path:
        return _import_path(spec)
    return _import_name(spec.target, spec)


def put_first_on_path(directory: str) -> None:
    """Make `directory` the first place where modules are looked for."""
    directory = os.path.abspath(directory)
    sys.path[:] = [directory, *(entry for entry in sys.path if entry != directory)]
    importlib.invalidate_caches()


def submodules(module: ModuleType) -> list[str]:
    """The names of the modules directly inside a package, without importing them."""
    return sorted(found.name for found in pkgutil.iter_modules(getattr(module, "__path__", [])))


def _import_name(name: str, spec: Spec) -> ModuleType:
    with app_code(f"importing `{name}`"):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            # With a frame of the application in it, the failure is an import inside the application.
            if app_lines(error) or error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise
            raise _missing_module(name, error.name, spec) from None


def _import_path(spec: Spec) -> ModuleType:
    path = os.path.abspath(spec.target)
    if os.path.isdir(path) and os.path.isfile(os.path.join(path, "__init__.py")):
        path = os.path.join(path, "__init__.py")
    if not os.path.isfile(path):
        raise _missing_file(spec, path)
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
    while os.path.isfile(os.path.join(directory, "__init__.py")) and os.path.basename(directory):
        directory, package = os.path.split(directory)
        parts.insert(0, package)
    return directory, ".".join(parts)


def _finds(name: str, path: str) -> bool:
    """Whether importing `name` gives the file at `path`, and not another one of that name."""
    found = importlib.util.find_spec(name)
    return (
        found is not None
        and found.origin is not None
        and os.path.realpath(found.origin) == os.path.realpath(path)
    )


def _import_by_location(name: str, path: str) -> ModuleType:
    """Run a file that no `import` line can reach, under its file name, as `python FILE` would."""
    found = importlib.util.spec_from_file_location(name, path)
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


def _missing_module(name: str, missing: str, spec: Spec) -> AppError:
    parent_name, _, leaf = missing.rpartition(".")
    parent = sys.modules.get(parent_name) if parent_name else None
    if parent is not None:
        return _missing_submodule(parent, leaf, spec)
    here = os.getcwd()
    what = f"there is no module `{missing}` in {here} or elsewhere on the import path"
    return AppError(what, hint=_missing_top_hint(name, spec, here))


def _missing_submodule(parent: ModuleType, leaf: str, spec: Spec) -> AppError:
    name = parent.__name__
    if hasattr(parent, leaf) and not spec.expression:
        return AppError(
            f"`{name}.{leaf}` is no module",
            hint=f"write `{name}:{leaf}`: before a name that is in a module comes a colon",
        )
    inside = submodules(parent)
    near = difflib.get_close_matches(leaf, inside, 1)
    if near:
        hint = f"did you mean `{_retarget(spec, f'{name}.{near[0]}')}`?"
    elif inside:
        hint = f"`{name}` contains {_listed(inside)}"
    else:
        hint = f"`{name}` is a module without others inside: write `{name}:NAME` for something in it"
    return AppError(f"there is no module `{leaf}` in `{name}`", hint=hint)


def _missing_top_hint(name: str, spec: Spec, here: str) -> str:
    top = name.partition(".")[0]
    for below in sorted(entry.name for entry in os.scandir(here) if entry.is_dir()):
        if _holds(os.path.join(here, below), top):
            return f"it is in the directory {below}: write `tapster --chdir {below} {_retarget(spec, name)}`"
    inside = sorted(found.name for found in pkgutil.iter_modules([here]))
    near = difflib.get_close_matches(top, inside, 1)
    if near:
        return f"did you mean `{_retarget(spec, name.replace(top, near[0], 1))}`?"
    if inside:
        return f"this directory has {_listed(inside)}; `--chdir DIRECTORY` starts in another one"
    return "this directory has no Python files: start in the application's, or add `--chdir DIRECTORY`"


def _missing_file(spec: Spec, path: str) -> AppError:
    tail = f":{spec.expression}" if spec.expression else ""
    if os.path.isdir(path):
        what = f"{spec.target} is a directory and not a Python package"
        return AppError(what, hint=f"write `tapster --chdir {spec.target}` to serve what is in it")
    if os.path.exists(path):
        return AppError(f"{spec.target} is not a regular file", hint="name a Python file")
    if os.path.isfile(f"{path}.py"):
        return AppError(f"there is no file {spec.target}", hint=f"did you mean `{spec.target}.py{tail}`?")
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        return AppError(f"there is no file {spec.target}: {directory} does not exist", hint=_started_in())
    files = sorted(name for name in os.listdir(directory) if name.endswith(".py"))
    near = difflib.get_close_matches(os.path.basename(path), files, 1)
    if near:
        meant = os.path.join(os.path.dirname(spec.target), near[0])
        return AppError(f"there is no file {spec.target}", hint=f"did you mean `{meant}{tail}`?")
    return AppError(f"there is no file {spec.target} in {os.getcwd()}", hint=_started_in())


def _started_in() -> str:
    return f"paths are read from {os.getcwd()}; `--chdir DIRECTORY` starts in another one"


def _holds(directory: str, name: str) -> bool:
    return os.path.isfile(os.path.join(directory, f"{name}.py")) or os.path.isfile(
        os.path.join(directory, name, "__init__.py")
    )


def _retarget(spec: Spec, target: str) -> str:
    return f"{target}:{spec.expression}" if spec.expression else target


def _listed(names: list[str], most: int = 8) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:most])
    return f"{shown}, …" if len(names) > most else shown
