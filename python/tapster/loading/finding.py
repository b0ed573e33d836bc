"""Which module and which object is the application, when that is not (fully) said."""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from tapster.loading.errors import AppError, NothingToServeError, app_code
from tapster.loading.forms import kind
from tapster.loading.spec import Call, Spec, parse

if TYPE_CHECKING:
    import inspect

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
    from tapster.loading.missing_name import discovery_hint

    what = f"no application was named, and {directory} has no wsgi.py, app.py or main.py"
    raise AppError(what, hint=discovery_hint(directory))


def find(module: ModuleType, spec: Spec) -> Found:
    """The object that `spec` names in `module`, or the one that is most likely meant. Raises `AppError`."""
    if not spec.attributes:
        return _look_for(module, spec)
    value = _resolve(module, spec)
    name = spec.with_expression(spec.expression)
    return Found(value if spec.call is None else _made_by(value, spec.call, name), name)


def _resolve(module: ModuleType, spec: Spec) -> object:
    value: object = module
    for depth, attribute in enumerate(spec.attributes):
        with app_code(f"looking up `{spec.with_expression('.'.join(spec.attributes[: depth + 1]))}`"):
            try:
                value = getattr(value, attribute)
            except AttributeError:
                from tapster.loading.missing_name import missing_name

                raise missing_name(module, value, depth, spec) from None
    return value


def _look_for(module: ModuleType, spec: Spec) -> Found:
    for name in USUAL_NAMES:
        value = _attribute(module, name)
        # A submodule of that name is an attribute too.
        if value is not None and not isinstance(value, ModuleType):
            return Found(value, spec.with_expression(name))
    for name in USUAL_FACTORIES:
        factory = _attribute(module, name)
        if callable(factory):
            called = spec.with_expression(f"{name}()")
            return Found(_made_by(factory, Call((), {}), called), called)
    flasks = _flask_instances(module)
    if len(flasks) == 1:
        return Found(flasks[0][1], spec.with_expression(flasks[0][0]))
    raise _nothing_to_serve(module, spec, [name for name, _ in flasks])


def _attribute(module: ModuleType, name: str) -> object:
    with app_code(f"looking for `{name}` in `{module.__name__}`"):
        return getattr(module, name, None)


def _flask_instances(module: ModuleType) -> list[tuple[str, object]]:
    """The Flask applications in `module`, each once, under its first name."""
    flask = getattr(sys.modules.get("flask"), "Flask", None)
    found: dict[int, tuple[str, object]] = {}
    for name, value in vars(module).items():
        if flask is not None and isinstance(value, flask):
            found.setdefault(id(value), (name, value))
    return list(found.values())


def _nothing_to_serve(module: ModuleType, spec: Spec, flasks: list[str]) -> NothingToServeError:
    from tapster.loading.missing_name import module_label, other_name_hint

    label = module_label(module)
    if flasks:
        return NothingToServeError(
            f"{label} has more than one Flask application: {', '.join(f'`{name}`' for name in flasks)}",
            hint=f"say which: `{spec.with_expression(flasks[0])}`",
        )
    return NothingToServeError(
        f"{label} has no `application`, `app`, `create_app()` or `make_app()`",
        hint=other_name_hint(module, spec)
        or "name the application `app` in that module, or write `MODULE:NAME` for another one",
    )


def _made_by(factory: object, call: Call, name: str) -> object:
    function = name.partition("(")[0]
    if not callable(factory):
        raise AppError(
            f"`{function}` ({kind(factory)}) cannot be called, and so is no factory",
            hint="name a function that returns the application",
        )
    with app_code(f"calling `{name}`"):
        try:
            value = cast("Any", factory)(*call.positional, **call.keywords)
        except TypeError as error:
            from tapster.loading.tracebacks import app_lines

            # Without a frame of the application, the arguments were wrong and it was not even called.
            mismatch = None if app_lines(error) else _mismatch(factory, call, name)
            if mismatch is None:
                raise
            raise mismatch from None
    if value is None:
        raise AppError(f"`{name}` returned None", hint="end the factory with `return app`")
    return value


def _mismatch(factory: object, call: Call, name: str) -> AppError | None:
    """The error for arguments that the factory does not take; none when it seems to take them."""
    import inspect

    try:
        signature = inspect.signature(cast("Any", factory))
    except (TypeError, ValueError):
        return None
    try:
        signature.bind(*call.positional, **call.keywords)
    except TypeError as error:
        return _does_not_fit(signature, call, name, error)
    return None


def _does_not_fit(signature: inspect.Signature, call: Call, name: str, error: TypeError) -> AppError:
    function = name.partition("(")[0]
    if call == Call((), {}) and list(signature.parameters)[:2] == ["environ", "start_response"]:
        hint = f"write `{function}` without the parentheses: it is the application, and no factory"
    else:
        hint = f'write its arguments as literals, for example `{function}("prod", debug=False)`'
    shown = f"{function.rpartition(':')[2]}{signature}"
    return AppError(f"`{name}` does not fit `{shown}`: {error}", hint=hint)
