"""Which file and which object is the application, when that is not (fully) said."""

from __future__ import annotations

import difflib
import inspect
import os
import pkgutil
import re
import sys
from types import ModuleType
from typing import Any, NamedTuple, cast

from tapster.loading.errors import AppError, NothingToServeError
from tapster.loading.failures import app_code
from tapster.loading.forms import kind
from tapster.loading.importing import submodules
from tapster.loading.spec import Call, Spec, parse

USUAL_MODULES = ("wsgi", "app", "main")
"""Looked for in the current directory, in this order, when no application is named."""
USUAL_NAMES = ("application", "app")
USUAL_FACTORIES = ("create_app", "make_app")


class Found(NamedTuple):
    """An object that is to be served, and how to write it."""

    value: object
    name: str


def discover(directory: str) -> list[Spec]:
    """The usual modules that `directory` has. Raises `AppError` when there is none."""
    present = [
        name
        for name in USUAL_MODULES
        if os.path.isfile(os.path.join(directory, f"{name}.py"))
        or os.path.isfile(os.path.join(directory, name, "__init__.py"))
    ]
    if present:
        return [parse(name) for name in present]
    raise AppError(
        f"no application was named, and {directory} has no wsgi.py, app.py or main.py",
        hint=_django_hint(directory) or _only_module_hint(directory),
    )


def _only_module_hint(directory: str) -> str:
    modules = [found.name for found in pkgutil.iter_modules([directory])]
    if len(modules) == 1:
        return f"write `tapster {modules[0]}` if the application is in {modules[0]}"
    return "write `tapster MODULE:NAME`, for example `tapster site:app` for the object app in site.py"


def find(module: ModuleType, spec: Spec) -> Found:
    """The object that `spec` names in `module`, or the one that is most likely meant. Raises `AppError`."""
    if not spec.attributes:
        return _look_for(module, spec)
    value = _resolve(module, spec)
    if spec.call is not None:
        value = _made_by(value, spec.call, spec.with_expression(spec.expression))
    return Found(value, spec.with_expression(spec.expression))


def _resolve(module: ModuleType, spec: Spec) -> object:
    value: object = module
    for depth, attribute in enumerate(spec.attributes):
        so_far = ".".join(spec.attributes[:depth])
        owner = f"`{spec.with_expression(so_far)}` ({kind(value)})" if so_far else _module_label(module)
        with app_code(f"looking up `{attribute}` in {owner}"):
            try:
                value = getattr(value, attribute)
            except AttributeError:
                hint = _missing_in_module(module, spec) if depth == 0 else _nearest(value, attribute, spec)
                raise AppError(f"there is no `{attribute}` in {owner}", hint=hint) from None
    return value


def _made_by(factory: object, call: Call, name: str) -> object:
    if not callable(factory):
        raise AppError(
            f"`{name.partition('(')[0]}` ({kind(factory)}) cannot be called, and so is no factory",
            hint="name a function that returns the application",
        )
    with app_code(f"calling `{name}`"):
        _check_arguments(factory, call, name)
        value = cast("Any", factory)(*call.positional, **call.keywords)
    if value is None:
        raise AppError(f"`{name}` returned None", hint="end the factory with `return app`")
    return value


def _check_arguments(factory: object, call: Call, name: str) -> None:
    """Tell arguments that the factory does not take from a TypeError inside it."""
    signature = signature_of(factory)
    if signature is None:
        return
    try:
        signature.bind(*call.positional, **call.keywords)
    except TypeError as mismatch:
        function = name.partition("(")[0]
        shown = f"{function.rpartition(':')[2]}{signature}"
        if call == Call((), {}) and list(signature.parameters)[:2] == ["environ", "start_response"]:
            hint = f"write `{function}` without the parentheses: it is the application, and no factory"
        else:
            hint = f'write its arguments as literals, for example `{function}("prod", debug=False)`'
        raise AppError(f"`{name}` does not fit `{shown}`: {mismatch}", hint=hint) from None


def signature_of(value: object) -> inspect.Signature | None:
    """How `value` is called, or None for what cannot be inspected."""
    try:
        return inspect.signature(cast("Any", value))
    except (TypeError, ValueError):
        return None


def _look_for(module: ModuleType, spec: Spec) -> Found:
    for name in USUAL_NAMES:
        value = getattr(module, name, None)
        # A submodule of that name is an attribute too.
        if value is not None and not isinstance(value, ModuleType):
            return Found(value, spec.with_expression(name))
    for name in USUAL_FACTORIES:
        factory = getattr(module, name, None)
        if callable(factory):
            called = spec.with_expression(f"{name}()")
            return Found(_made_by(factory, Call((), {}), called), called)
    flasks = _flask_instances(module)
    if len(flasks) == 1:
        return Found(flasks[0][1], spec.with_expression(flasks[0][0]))
    raise _nothing_to_serve(module, spec, [name for name, _ in flasks])


def _flask_instances(module: ModuleType) -> list[tuple[str, object]]:
    """The Flask applications in `module`, each once, under its first name."""
    flask = getattr(sys.modules.get("flask"), "Flask", None)
    if flask is None:
        return []
    found: dict[int, tuple[str, object]] = {}
    for name, value in vars(module).items():
        if isinstance(value, flask):
            found.setdefault(id(value), (name, value))
    return list(found.values())


def _nothing_to_serve(module: ModuleType, spec: Spec, flasks: list[str]) -> NothingToServeError:
    label = _module_label(module)
    if flasks:
        return NothingToServeError(
            f"{label} has more than one Flask application: {', '.join(f'`{name}`' for name in flasks)}",
            hint=f"say which: `{spec.with_expression(flasks[0])}`",
        )
    return NothingToServeError(
        f"{label} has no `application`, `app`, `create_app()` or `make_app()`",
        hint=_hidden_file_hint(module, spec)
        or _django_hint(os.getcwd(), module)
        or _offer_hint(module, spec)
        or "name the application `app` in that module, or write `MODULE:NAME` for another one",
    )


def _missing_in_module(module: ModuleType, spec: Spec) -> str:
    missing = spec.attributes[0]
    if missing in submodules(module):
        inner = f"{module.__name__}.{missing}"
        rest = spec.expression[len(missing) + 1 :]
        return (
            f"`{inner}` is a module: write `{inner}:{rest}`"
            if rest
            else f"`{inner}` is a module: write `{inner}`"
        )
    return (
        _nearest(module, missing, spec)
        or _hidden_file_hint(module, spec)
        or _django_hint(os.getcwd(), module)
        or _offer_hint(module, spec)
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


def _module_label(module: ModuleType) -> str:
    file = getattr(module, "__file__", None)
    if file is not None:
        return f"`{module.__name__}` ({file})"
    paths = list(getattr(module, "__path__", []))
    return f"`{module.__name__}` ({paths[0]}, without an __init__.py)" if paths else f"`{module.__name__}`"


def _hidden_file_hint(module: ModuleType, spec: Spec) -> str | None:
    """The file that was probably meant, when another module of its name was imported before or instead."""
    name = module.__name__
    file = getattr(module, "__file__", None)
    meant = f"{name.replace('.', os.sep)}.py"
    if spec.is_path or not os.path.isfile(meant) or (file is not None and os.path.samefile(meant, file)):
        return None
    tail = f":{spec.expression}" if spec.expression else ""
    return f"it hides your file {meant}: rename that file, or write `{meant}{tail}`"


def _django_hint(directory: str, module: ModuleType | None = None) -> str | None:
    """`mysite.wsgi`, when this is (beside) a Django project."""
    if module is not None and "wsgi" in submodules(module):
        return f"write `tapster {module.__name__}.wsgi`"
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
    offers = [name for name, value in vars(module).items() if _may_be_app(name, value, module)]
    if not offers:
        return None
    shown = ", ".join(f"`{name}` ({kind(vars(module)[name])})" for name in offers[:most])
    rest = ", …" if len(offers) > most else ""
    return f"it has {shown}{rest}: write `{spec.with_expression(offers[0])}` if that is the application"


def _may_be_app(name: str, value: object, module: ModuleType) -> bool:
    if name.startswith("_") or not callable(value):
        return False
    if isinstance(value, type) or inspect.isroutine(value):
        return getattr(value, "__module__", None) == module.__name__
    # Of what is imported, only instances count, and those of `typing` are no applications.
    return type(value).__module__ != "typing"
