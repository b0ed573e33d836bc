"""The three forms of a WSGI application made into one: something to call with (environ, start_response).

PEP 3333 allows a function, an instance with `__call__`, and a class whose instances are the iterable.
What is surely none of them is refused here, where it can be explained; what cannot be inspected is served.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from types import FunctionType, MethodType, ModuleType
from typing import Any, Callable, cast

from tapster.loading.errors import AppError
from tapster.loading.failures import app_code

WsgiCallable = Callable[..., Iterable[bytes]]

_FACTORY_NAMES = ("create_app", "make_app")


def wsgi_callable(value: object, name: str) -> WsgiCallable:
    """The callable to serve for `value`, which was written as `name`. Raises `AppError`."""
    if inspect.isclass(value):
        value = _from_class(value, name)
    if isinstance(value, ModuleType):
        raise AppError(f"`{name}` is a module", hint=f"write `{value.__name__}`, or `{value.__name__}:NAME`")
    if not callable(value):
        raise AppError(
            f"`{name}` ({kind(value)}) cannot be called",
            hint="name the application object itself, for example `app` after `app = Flask(__name__)`",
        )
    _refuse_asgi(value, name)
    _check_arity(value, name)
    return cast("WsgiCallable", value)


def kind(value: object) -> str:
    """What `value` is, in few words: `Flask`, `function`, `class Page`, `None`."""
    if value is None:
        return "None"
    if inspect.isclass(value):
        return f"class {value.__name__}"
    if inspect.isroutine(value):
        return "method" if inspect.ismethod(value) else "function"
    package = type(value).__module__.partition(".")[0]
    return {"django": "Django"}.get(package, type(value).__name__)


def describe(name: str, value: object) -> str:
    """The application's name for start-up lines: `app:app (Flask)`."""
    return f"{name} ({kind(value)})"


def _from_class(cls: type, name: str) -> object:
    """An instance of a class with `__call__`, or the class itself when its instances iterate."""
    if _is_asgi_class(cls):
        raise _asgi(name, kind(cls))
    constructor = _signature(cls)
    is_callable = _call_method(cls) is not None
    iterates = hasattr(cls, "__iter__")
    if is_callable and (constructor is None or _takes(constructor, 0)):
        with app_code(f"making an instance of `{name}`"):
            return cls()
    if iterates and (constructor is None or _takes(constructor, 2)):
        return cls
    raise AppError(*_unservable_class(cls, name, constructor, is_callable, iterates))


def _unservable_class(
    cls: type, name: str, constructor: inspect.Signature | None, is_callable: bool, iterates: bool
) -> tuple[str, str]:
    shown = f"`{cls.__name__}{constructor or '(…)'}`"
    if is_callable:
        instance = name.rpartition(":")[0]
        return (
            f"`{name}` is a class with `__call__`, but {shown} needs arguments to make an instance",
            f"add `application = {cls.__name__}(…)` to that module and write `{instance}:application`",
        )
    if iterates:
        return (
            f"`{name}` is a class with `__iter__`, but {shown} does not take (environ, start_response)",
            "give it `def __init__(self, environ, start_response)`",
        )
    return (
        f"`{name}` is a class that has neither `__call__` nor `__iter__`",
        "give it `def __call__(self, environ, start_response)` that returns an iterable of bytes",
    )


def _refuse_asgi(value: object, name: str) -> None:
    called = value if inspect.isroutine(value) else _call_method(type(value))
    while hasattr(called, "func"):
        called = cast("Any", called).func
    if _has_asgi_parameters(called):
        raise _asgi(name, kind(value))
    if inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(called):
        raise AppError(
            f"`{name}` ({kind(value)}) is an `async def`, and nothing awaits a WSGI application",
            hint="write it with `def`; if it is an ASGI application, put `a2wsgi.ASGIMiddleware` around it",
        )


def _is_asgi_class(cls: type) -> bool:
    return _has_asgi_parameters(_call_method(cls)) or _has_asgi_parameters(cls.__init__)


def _has_asgi_parameters(function: object) -> bool:
    """`(scope, receive, send)`, or `(scope)` as in ASGI 2, after `self` if there is one."""
    code = getattr(function, "__code__", None)
    if code is None:
        return False
    names = [name for name in code.co_varnames[: code.co_argcount] if name != "self"]
    return names[:3] == ["scope", "receive", "send"] or names == ["scope"]


def _asgi(name: str, found: str) -> AppError:
    module, _, expression = name.partition(":")
    if module.endswith(".asgi"):
        hint = f"a Django project has both: write `{module[: -len('.asgi')]}.wsgi`"
    else:
        hint = (
            f"serve it with an ASGI server, or add `from a2wsgi import ASGIMiddleware` and "
            f"`wsgi = ASGIMiddleware({expression})` to that module and write `{module}:wsgi`"
        )
    return AppError(f"`{name}` ({found}) is an ASGI application, and Tapster serves WSGI", hint=hint)


def _check_arity(value: object, name: str) -> None:
    """Refuse what surely cannot be called with (environ, start_response)."""
    signature = _signature(value)
    if signature is None:
        return
    shown = f"`{_short(name)}{signature}`"
    if _takes(signature, 2):
        if name.rpartition(":")[2] in _FACTORY_NAMES and _takes(signature, 0):
            raise AppError(
                f"{shown} looks like a factory of applications", hint=f"write `{name}()` to have it called"
            )
    elif _takes(signature, 0):
        raise AppError(
            f"{shown} takes no arguments, and a WSGI application takes (environ, start_response)",
            hint=f"write `{name}()` if it is a factory that returns the application",
        )
    else:
        hint = "a WSGI application takes these two arguments and no others that are required"
        if inspect.isfunction(value):
            hint += f"; if it is a factory that returns the application, write `{name}(…)` with its arguments"
        raise AppError(f"{shown} cannot be called with (environ, start_response)", hint=hint)


def _short(name: str) -> str:
    return name.rpartition(":")[2].partition("(")[0]


def _takes(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*([None] * count))
    except TypeError:
        return False
    return True


def _signature(value: object) -> inspect.Signature | None:
    """The parameters of plain Python code; None for whatever may take other arguments than it shows."""
    function, is_bound = _called_function(value)
    if function is object.__init__:
        return inspect.Signature()
    if not isinstance(function, FunctionType) or hasattr(function, "__wrapped__"):
        return None
    signature = inspect.signature(function, follow_wrapped=False)
    # Annotations would only make the messages long.
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()
    ]
    if is_bound and parameters and parameters[0].kind is not inspect.Parameter.VAR_POSITIONAL:
        del parameters[0]
    return signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)


def _called_function(value: object) -> tuple[object, bool]:
    """What runs when `value` is called, and whether its first argument is bound already."""
    if isinstance(value, FunctionType):
        return value, False
    if isinstance(value, MethodType):
        return value.__func__, True
    if inspect.isclass(value):
        return (value.__init__ if value.__new__ is object.__new__ and type(value) is type else None), True
    return _call_method(type(value)), True


def _call_method(cls: type) -> object:
    """The `__call__` that instances of `cls` have, or None."""
    return next((base.__dict__["__call__"] for base in cls.__mro__ if "__call__" in base.__dict__), None)
