"""The three forms of a WSGI application made into one: something to call with (environ, start_response).

PEP 3333 allows a function, an instance with `__call__`, and a class whose instances are the iterable.
What is surely none of them is refused here, where it can be explained; what cannot be inspected is served.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Callable, NamedTuple, cast

from tapster.loading.errors import AppError, app_code

WsgiCallable = Callable[..., Iterable[bytes]]

_FACTORY_NAMES = ("create_app", "make_app")
_VARARGS = 0x04
_COROUTINE = 0x80
_ASYNC_GENERATOR = 0x200
"""Flags of code objects. `inspect` has them too, but a start should not wait for it."""


def wsgi_callable(value: object, name: str) -> WsgiCallable:
    """The callable to serve for `value`, which was written as `name`. Raises `AppError`."""
    if isinstance(value, type):
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
    if isinstance(value, type):
        return f"class {value.__name__}"
    if isinstance(value, (FunctionType, BuiltinFunctionType)):
        return "function"
    package = str(type(value).__module__).partition(".")[0]
    return {"django": "Django"}.get(package, type(value).__name__)


def describe(name: str, value: object) -> str:
    """The application's name for start-up lines: `app:app (Flask)`."""
    return f"{name} ({kind(value)})"


def _from_class(cls: type, name: str) -> object:
    """An instance of a class with `__call__`, or the class itself when its instances iterate."""
    if _has_asgi_parameters(_code(_call_method(cls))) or _has_asgi_parameters(_code(cls.__init__)):
        raise _asgi(name, kind(cls))
    constructor = _parameters(cls)
    if _call_method(cls) is not None and (constructor is None or constructor.take(0)):
        with app_code(f"making an instance of `{name}`"):
            return cls()
    if hasattr(cls, "__iter__") and (constructor is None or constructor.take(2)):
        return cls
    raise _unservable_class(cls, name)


def _unservable_class(cls: type, name: str) -> AppError:
    shown = f"`{cls.__name__}{_signature(cls)}`"
    if _call_method(cls) is not None:
        return AppError(
            f"`{name}` is a class with `__call__`, but {shown} needs arguments to make an instance",
            hint=f"add `application = {cls.__name__}(…)` to that module and write "
            f"`{name.rpartition(':')[0]}:application`",
        )
    if hasattr(cls, "__iter__"):
        return AppError(
            f"`{name}` is a class with `__iter__`, but {shown} does not take (environ, start_response)",
            hint="give it `def __init__(self, environ, start_response)`",
        )
    return AppError(
        f"`{name}` is a class that has neither `__call__` nor `__iter__`",
        hint="give it `def __call__(self, environ, start_response)` that returns an iterable of bytes",
    )


def _refuse_asgi(value: object, name: str) -> None:
    called: object = value
    while isinstance(called, partial):
        called = cast("partial[object]", called).func
    code = _code(called) or _code(_call_method(type(called)))
    if _has_asgi_parameters(code):
        raise _asgi(name, kind(value))
    if code is not None and code.co_flags & (_COROUTINE | _ASYNC_GENERATOR):
        raise AppError(
            f"`{name}` ({kind(value)}) is an `async def`, and nothing awaits a WSGI application",
            hint="write it with `def`; if it is an ASGI application, put `a2wsgi.ASGIMiddleware` around it",
        )


def _has_asgi_parameters(code: CodeType | None) -> bool:
    """`(scope, receive, send)`, or `(scope)` as in ASGI 2, after `self` if there is one."""
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
    parameters = _parameters(value)
    if parameters is None:
        return
    last = name.rpartition(":")[2]
    if parameters.take(2):
        if last in _FACTORY_NAMES and parameters.take(0):
            what = f"`{last}{_signature(value)}` looks like a factory of applications"
            raise AppError(what, hint=f"write `{name}()` to have it called")
        return
    shown = f"`{last.partition('(')[0]}{_signature(value)}`"
    if parameters.take(0):
        raise AppError(
            f"{shown} takes no arguments, and a WSGI application takes (environ, start_response)",
            hint=f"write `{name}()` if it is a factory that returns the application",
        )
    hint = "a WSGI application takes these two arguments and no others that are required"
    if isinstance(value, FunctionType):
        hint += f"; if it is a factory that returns the application, write `{name}(…)` with its arguments"
    raise AppError(f"{shown} cannot be called with (environ, start_response)", hint=hint)


class _Parameters(NamedTuple):
    """How many positional arguments can be given, if any call without keywords is possible."""

    least: int
    most: float
    keyword_required: bool

    def take(self, count: int) -> bool:
        return self.least <= count <= self.most and not self.keyword_required


def _parameters(value: object) -> _Parameters | None:
    """The parameters of plain Python code; None for whatever may take other arguments than it shows."""
    function, bound = _called_function(value)
    if function is object.__init__:
        return _Parameters(0, 0, keyword_required=False)
    if not isinstance(function, FunctionType) or hasattr(function, "__wrapped__"):
        return None
    code = function.__code__
    named = max(code.co_argcount - bound, 0)
    optional = len(function.__defaults__ or ())
    keyword_required = code.co_kwonlyargcount > len(function.__kwdefaults__ or {})
    most = float("inf") if code.co_flags & _VARARGS else named
    return _Parameters(max(named - optional, 0), most, keyword_required)


def _called_function(value: object) -> tuple[object, int]:
    """What runs when `value` is called, and how many of its arguments are bound already."""
    if isinstance(value, FunctionType):
        return value, 0
    if isinstance(value, MethodType):
        return value.__func__, 1
    if isinstance(value, type):
        # With a metaclass or a __new__ of its own, __init__ does not decide what can be given.
        return (value.__init__ if value.__new__ is object.__new__ and type(value) is type else None), 1
    return _call_method(type(value)), 1


def _signature(value: object) -> str:
    """The parameters in writing, without annotations: they would only make the message long."""
    import inspect

    function, bound = _called_function(value)
    if not isinstance(function, FunctionType):
        return "()"
    signature = inspect.signature(function, follow_wrapped=False)
    parameters = [each.replace(annotation=each.empty) for each in signature.parameters.values()]
    return str(signature.replace(parameters=parameters[bound:], return_annotation=signature.empty))


def _call_method(cls: type) -> object:
    """The `__call__` that instances of `cls` have, or None."""
    return next((base.__dict__["__call__"] for base in cls.__mro__ if "__call__" in base.__dict__), None)


def _code(function: object) -> CodeType | None:
    code = getattr(function, "__code__", None)
    return code if isinstance(code, CodeType) else None
