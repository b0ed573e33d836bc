"""Why a name is not in a module, and what was probably meant. Imported only when that happens."""

from __future__ import annotations

import difflib
import os
import re
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING

from tapster.loading.errors import AppError
from tapster.loading.forms import kind
from tapster.loading.missing_module import modules_in, submodules

if TYPE_CHECKING:
    from tapster.loading.spec import Spec


def missing_name(module: ModuleType, owner: object, depth: int, spec: Spec) -> AppError:
    """The error for attribute number `depth` of `spec`, which `owner` does not have."""
    missing = spec.attributes[depth]
    if depth == 0:
        what = f"there is no `{missing}` in {module_label(module)}"
        return AppError(what, hint=_missing_in_module(module, spec))
    so_far = spec.with_expression(".".join(spec.attributes[:depth]))
    return AppError(
        f"there is no `{missing}` in `{so_far}` ({kind(owner)})", hint=_nearest(owner, missing, spec)
    )


def module_label(module: ModuleType) -> str:
    """A module's name, and where it was found."""
    file = getattr(module, "__file__", None)
    if file is not None:
        return f"`{module.__name__}` ({file})"
    paths = list(getattr(module, "__path__", []))
    return f"`{module.__name__}` ({paths[0]}, without an __init__.py)" if paths else f"`{module.__name__}`"


def other_name_hint(module: ModuleType, spec: Spec) -> str | None:
    """Another module, or another name in this one, that may be meant."""
    return (
        _hidden_file_hint(module, spec)
        or _wsgi_module_hint(module)
        or _django_hint(os.getcwd())
        or _offer_hint(module, spec)
    )


def discovery_hint(directory: str) -> str:
    """What to write in a directory without any of the usual modules."""
    modules = modules_in([directory])
    only = (
        f"write `tapster {modules[0]}` if the application is in {modules[0]}" if len(modules) == 1 else None
    )
    return (
        _django_hint(directory)
        or only
        or "write `tapster MODULE:NAME`, for example `tapster site:app` for the object app in site.py"
    )


def _missing_in_module(module: ModuleType, spec: Spec) -> str:
    missing = spec.attributes[0]
    if missing in submodules(module):
        inner = f"{module.__name__}.{missing}"
        rest = spec.expression[len(missing) + 1 :]
        return f"`{inner}` is a module: write `{f'{inner}:{rest}' if rest else inner}`"
    return (
        _nearest(module, missing, spec)
        or other_name_hint(module, spec)
        or f"that module defines nothing that can be served: name the application `{missing}` in it"
    )


def _nearest(owner: object, missing: str, spec: Spec) -> str | None:
    """What was probably meant by `missing`, when `owner` has something of a similar name."""
    names = [name for name in dir(owner) if not name.startswith("_")]
    near = difflib.get_close_matches(missing, names, 1)
    if not near:
        return None
    meant = re.sub(rf"\b{re.escape(missing)}\b", near[0], spec.expression, count=1)
    return f"did you mean `{spec.with_expression(meant)}`?"


def _hidden_file_hint(module: ModuleType, spec: Spec) -> str | None:
    """The file that was probably meant, when another module of its name was imported before or instead."""
    file = getattr(module, "__file__", None)
    meant = f"{module.__name__.replace('.', os.sep)}.py"
    if spec.is_path or not os.path.isfile(meant) or (file is not None and os.path.samefile(meant, file)):
        return None
    tail = f":{spec.expression}" if spec.expression else ""
    return f"it hides your file {meant}: rename that file, or write `{meant}{tail}`"


def _wsgi_module_hint(module: ModuleType) -> str | None:
    return f"write `tapster {module.__name__}.wsgi`" if "wsgi" in submodules(module) else None


def _django_hint(directory: str) -> str | None:
    """`mysite.wsgi`, when `directory` holds a Django project."""
    if not os.path.isfile(os.path.join(directory, "manage.py")):
        return None
    projects = sorted(
        entry.name for entry in os.scandir(directory) if os.path.isfile(os.path.join(entry.path, "wsgi.py"))
    )
    if len(projects) == 1:
        return f"this is a Django project: write `tapster {projects[0]}.wsgi`"
    return (
        "this is a Django project: write `tapster PROJECT.wsgi`, PROJECT being the directory of settings.py"
    )


def _offer_hint(module: ModuleType, spec: Spec, most: int = 6) -> str | None:
    """What the module has that might be served."""
    offers = [name for name, value in vars(module).items() if _may_be_app(name, value, module)]
    if not offers:
        return None
    shown = ", ".join(f"`{name}` ({kind(vars(module)[name])})" for name in offers[:most])
    rest = ", …" if len(offers) > most else ""
    return f"it has {shown}{rest}: write `{spec.with_expression(offers[0])}` if that is the application"


def _may_be_app(name: str, value: object, module: ModuleType) -> bool:
    if name.startswith("_") or not callable(value):
        return False
    if isinstance(value, (type, FunctionType, BuiltinFunctionType)):
        return getattr(value, "__module__", None) == module.__name__
    # Of what is imported only instances count, and those of `typing` are no applications.
    return type(value).__module__ != "typing"
