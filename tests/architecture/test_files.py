"""How files look: they say what they are for in their first line, have telling names, and stay readable in size."""

from __future__ import annotations

import ast

from tests.architecture.sizes import FILE_LIMIT, FUNCTION_LIMIT, measured
from tests.architecture.sources import files, name

NO_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "shared", "stuff"}


def test_every_rust_file_opens_with_what_it_is_for() -> None:
    silent = [name(path) for path in files(".rs") if not path.read_text("utf-8").startswith("//! ")]
    assert not silent


def test_every_python_file_opens_with_what_it_is_for() -> None:
    silent = [
        name(path)
        for suffix in (".py", ".pyi")
        for path in files(suffix)
        if not ast.get_docstring(ast.parse(path.read_text("utf-8"), str(path)))
    ]
    assert not silent


def test_names_say_something() -> None:
    vague = [name(path) for suffix in (".rs", ".py") for path in files(suffix) if path.stem in NO_NAMES]
    assert not vague


def test_files_and_functions_are_not_huge() -> None:
    sizes = measured()
    files_too_long = {name(size.path): size.lines for size in sizes if size.lines > FILE_LIMIT}
    functions_too_long = {
        f"{name(size.path)}: {function}": lines
        for size in sizes
        for function, lines in size.functions.items()
        if lines > FUNCTION_LIMIT
    }
    assert (files_too_long, functions_too_long) == ({}, {})
