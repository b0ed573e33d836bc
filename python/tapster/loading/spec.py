"""What was typed, taken apart: `package.module:name("argument")` or `path/to/file.py:name`. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tapster.loading.errors import AppError

if TYPE_CHECKING:
    import ast


class Call(NamedTuple):
    """The arguments of a factory, all of them literals."""

    positional: tuple[object, ...]
    keywords: dict[str, object]


class Spec(NamedTuple):
    """Where an application is."""

    target: str
    """A dotted module name, or the path of a file or package directory."""
    is_path: bool
    attributes: tuple[str, ...]
    """How to get from the module to the object; empty when the object is to be looked for."""
    call: Call | None
    """Given when the object is a factory to be called."""
    expression: str
    """`attributes` and `call` as they were typed."""

    def with_expression(self, expression: str) -> str:
        """This target with another expression: what to write instead."""
        return f"{self.target}:{expression}"


def parse(text: str) -> Spec:
    """Take apart what was typed. Raises `AppError` when it is no application's name."""
    text = text.strip()
    _refuse_windows_path(text)
    target, colon, expression = text.partition(":")
    target, expression = target.strip(), expression.strip()
    _check_target(target, expression)
    if colon and not expression:
        raise AppError(
            f"`{text}` names nothing after the colon",
            hint=f"write `{target}:app` with the name of the application, or `{target}` to look for it",
        )
    is_path = target.endswith(".py") or "/" in target
    if not is_path:
        _check_module_name(target, expression)
    attributes, call = _parse_expression(expression) if expression else ((), None)
    return Spec(target, is_path, attributes, call, expression)


def _refuse_windows_path(text: str) -> None:
    if text[1:3] in (":\\", ":/") and text[0].isalpha():
        below_drive = text[3:].replace("\\", "/")
        raise AppError(
            f"`{text}` is a Windows path",
            hint=f"inside WSL the drives are under /mnt: write `/mnt/{text[0].lower()}/{below_drive}`",
        )


def _check_target(target: str, expression: str) -> None:
    tail = f":{expression}" if expression else ""
    if not target:
        raise AppError(
            "the application's name has no module before the colon"
            if tail
            else "the application's name is empty",
            hint=f"write `module{tail or ':app'}`, for example `app{tail or ':app'}` for the file app.py",
        )
    if "\\" in target:
        forward = target.replace("\\", "/")
        raise AppError(f"`{target}` has backslashes in it", hint=f"write `{forward}{tail}`")


def _check_module_name(target: str, expression: str) -> None:
    if all(part.isidentifier() for part in target.split(".")):
        return
    tail = f":{expression}" if expression else ""
    if target.startswith("."):
        hint = f"a relative import has no meaning here: write `{target.lstrip('.') or 'module'}{tail}`"
    else:
        hint = f"write it as in an `import` line, or the file's path: `{target.replace('.', '/')}.py{tail}`"
    raise AppError(f"`{target}` is not a module name", hint=hint)


def _parse_expression(expression: str) -> tuple[tuple[str, ...], Call | None]:
    names = tuple(expression.split("."))
    if all(name.isidentifier() for name in names):
        return names, None
    import ast

    try:
        tree = ast.parse(expression, mode="eval").body
    except (SyntaxError, ValueError):
        raise _bad_expression(expression) from None
    if isinstance(tree, ast.Call):
        return _dotted_name(tree.func, expression), _literal_call(tree, expression)
    return _dotted_name(tree, expression), None


def _dotted_name(node: ast.expr, expression: str) -> tuple[str, ...]:
    import ast

    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute):
        return (*_dotted_name(node.value, expression), node.attr)
    raise _bad_expression(expression)


def _literal_call(call: ast.Call, expression: str) -> Call:
    """Evaluate the arguments, which may only be literals: what is typed here is never run as code."""
    import ast

    try:
        positional = tuple(ast.literal_eval(argument) for argument in call.args)
        keywords = {
            keyword.arg: ast.literal_eval(keyword.value)
            for keyword in call.keywords
            if keyword.arg is not None
        }
    except (ValueError, TypeError):
        raise _bad_arguments(expression) from None
    if len(keywords) != len(call.keywords):
        raise _bad_arguments(expression)
    return Call(positional, keywords)


def _bad_expression(expression: str) -> AppError:
    return AppError(
        f"`{expression}` after the colon is neither a name nor a call of one",
        hint='write a name (`app`), a dotted name (`site.app`) or a factory (`create_app("prod")`)',
    )


def _bad_arguments(expression: str) -> AppError:
    return AppError(
        f"`{expression}` has an argument that is not a literal",
        hint="only strings, numbers, True, False, None, lists, tuples and dicts can be written here: "
        "for anything else write a function without arguments that makes the application",
    )
