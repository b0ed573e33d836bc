"""Why a module or file cannot be found, and what was probably meant. Imported only when that happens."""

from __future__ import annotations

import difflib
import os
import pkgutil
import sys
from typing import TYPE_CHECKING

from tapster.loading.errors import AppError

if TYPE_CHECKING:
    from types import ModuleType

    from tapster.loading.spec import Spec


def missing_module(missing: str, spec: Spec) -> AppError:
    """The error for the module that `spec` names, of which `missing` is the first part that is not there."""
    parent_name, _, leaf = missing.rpartition(".")
    parent = sys.modules.get(parent_name) if parent_name else None
    if parent is not None:
        return _missing_submodule(parent, leaf, spec)
    here = os.getcwd()
    what = f"there is no module `{missing}` in {here} or elsewhere on the import path"
    return AppError(what, hint=_top_hint(spec, here))


def missing_file(path: str, spec: Spec) -> AppError:
    """The error for the file that `spec` names, which would be at `path`."""
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


def modules_in(directories: list[str]) -> list[str]:
    """The names of the modules and packages directly inside, without importing them."""
    return sorted(found.name for found in pkgutil.iter_modules(directories))


def submodules(module: ModuleType) -> list[str]:
    """The names of the modules directly inside a package, without importing them."""
    return modules_in(list(getattr(module, "__path__", [])))


def _missing_submodule(parent: ModuleType, leaf: str, spec: Spec) -> AppError:
    name = parent.__name__
    if hasattr(parent, leaf) and not spec.expression:
        hint = f"write `{name}:{leaf}`: before a name that is in a module comes a colon"
        return AppError(f"`{name}.{leaf}` is no module", hint=hint)
    inside = submodules(parent)
    near = difflib.get_close_matches(leaf, inside, 1)
    if near:
        hint = f"did you mean `{_retarget(spec, f'{name}.{near[0]}')}`?"
    elif inside:
        hint = f"`{name}` contains {_listed(inside)}"
    else:
        hint = f"`{name}` is a module without others inside: write `{name}:NAME` for something in it"
    return AppError(f"there is no module `{leaf}` in `{name}`", hint=hint)


def _top_hint(spec: Spec, here: str) -> str:
    top, dot, rest = spec.target.partition(".")
    for below in sorted(entry.name for entry in os.scandir(here) if entry.is_dir()):
        if _holds(os.path.join(here, below), top):
            command = f"tapster --chdir {below} {_retarget(spec, spec.target)}"
            return f"it is in the directory {below}: write `{command}`"
    inside = modules_in([here])
    near = difflib.get_close_matches(top, inside, 1)
    if near:
        return f"did you mean `{_retarget(spec, f'{near[0]}{dot}{rest}')}`?"
    if inside:
        return f"this directory has {_listed(inside)}; `--chdir DIRECTORY` starts in another one"
    return "this directory has no Python files: start in the application's, or add `--chdir DIRECTORY`"


def _holds(directory: str, name: str) -> bool:
    return os.path.isfile(os.path.join(directory, f"{name}.py")) or os.path.isfile(
        os.path.join(directory, name, "__init__.py")
    )


def _started_in() -> str:
    return f"paths are read from {os.getcwd()}; `--chdir DIRECTORY` starts in another one"


def _retarget(spec: Spec, target: str) -> str:
    return f"{target}:{spec.expression}" if spec.expression else target


def _listed(names: list[str], most: int = 8) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:most])
    return f"{shown}, …" if len(names) > most else shown
