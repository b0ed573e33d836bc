"""The sizes of files and functions, without tests: `python -m tests.architecture.sizes` prints them."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.architecture.sources import files, is_test, name

if TYPE_CHECKING:
    from pathlib import Path

#: Above these a person should have a reason; above the limits the check fails.
FILE_SMELL, FUNCTION_SMELL = 500, 70
FILE_LIMIT, FUNCTION_LIMIT = 800, 100

_FUNCTION = re.compile(r"^( *)(?:pub(?:\([^)]*\))? )?(?:const )?(?:unsafe )?(?:extern \"C\" )?fn (\w+)")
_TESTS = re.compile(r"^#\[cfg\(test\)\]\n(?:#\[[^\]]*\]\n)*mod ", re.MULTILINE)


@dataclass
class Size:
    """One file: how many lines it has, and how many each of its functions."""

    path: Path
    lines: int
    functions: dict[str, int]


def measured() -> list[Size]:
    """Every program file."""
    rust = [_rust(path) for path in files(".rs") if not is_test(path)]
    python = [_python(path) for path in files(".py") if not is_test(path)]
    return rust + python


def _rust(path: Path) -> Size:
    text = path.read_text("utf-8")
    tests = _TESTS.search(text)
    lines = (text[: tests.start()] if tests else text).splitlines()
    functions: dict[str, int] = {}
    for number, line in enumerate(lines):
        found = _FUNCTION.match(line)
        if found and not line.rstrip().endswith((";", "}")):
            # rustfmt puts the closing brace of a function below the beginning of its first line.
            end = f"{found.group(1)}}}"
            length = next((offset for offset, later in enumerate(lines[number:]) if later == end), 0) + 1
            functions[f"{found.group(2)}:{number + 1}"] = length
    return Size(path, len(lines), functions)


def _python(path: Path) -> Size:
    text = path.read_text("utf-8")
    functions = {
        f"{node.name}:{node.lineno}": (node.end_lineno or node.lineno) - node.lineno + 1
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    return Size(path, len(text.splitlines()), functions)


def _at(values: list[int], share: float) -> int:
    return sorted(values)[int(len(values) * share)] if values else 0


def main() -> None:
    """Prints medians, what is large, and what is too large."""
    sizes = measured()
    lines = [size.lines for size in sizes]
    functions = [length for size in sizes for length in size.functions.values()]
    for title, values in (("files", lines), ("functions", functions)):
        shares = f"median {_at(values, 0.5)}, nine of ten below {_at(values, 0.9)}, largest {max(values, default=0)}"
        print(f"{len(values)} {title}, {sum(values)} lines: {shares}")
    for size in sizes:
        if size.lines > FILE_SMELL:
            print(f"long file: {name(size.path)} has {size.lines} lines")
        for function, length in size.functions.items():
            if length > FUNCTION_SMELL:
                print(f"long function: {name(size.path)} {function} has {length} lines")


if __name__ == "__main__":
    main()
