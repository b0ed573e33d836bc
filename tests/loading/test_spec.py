"""What can be typed, and how it is taken apart."""

from __future__ import annotations

import pytest
from tapster.loading import AppError
from tapster.loading.spec import Call, parse


@pytest.mark.parametrize(
    ("text", "target", "is_path", "attributes"),
    [
        ("app", "app", False, ()),
        (" app:app ", "app", False, ("app",)),
        ("package.module:site.app", "package.module", False, ("site", "app")),
        ("app.py", "app.py", True, ()),
        ("web/app.py:app", "web/app.py", True, ("app",)),
        ("/srv/my-site/web.py:app", "/srv/my-site/web.py", True, ("app",)),
        ("./shop:app", "./shop", True, ("app",)),
        ("café:app", "café", False, ("app",)),
    ],
)
def test_names(text: str, target: str, is_path: bool, attributes: tuple[str, ...]) -> None:
    """Modules and paths, with and without a name in them."""
    spec = parse(text)
    assert (spec.target, spec.is_path, spec.attributes, spec.call) == (target, is_path, attributes, None)


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("app:create_app()", Call((), {})),
        ("app:create_app('a:b', 1, -2.5)", Call(("a:b", 1, -2.5), {})),
        ("app:create_app(None, debug=True)", Call((None,), {"debug": True})),
        ("app:create_app([1, (2, 3)], hosts={'a': {1}})", Call(([1, (2, 3)],), {"hosts": {"a": {1}}})),
    ],
)
def test_factories(text: str, call: Call) -> None:
    """Arguments are literals of every kind."""
    assert parse(text).call == call


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "app:",
        "app:1",
        "app:a b",
        "app:a+b",
        "app:lambda e, s: 1",
        "app:create_app()()",
        "app:create_app().wsgi",
        "app:create_app(__import__('os'))",
        "app:create_app(*[1])",
        "app:create_app(**{})",
        "app:create_app(f'{x}')",
        "app:create_app([x for x in y])",
        "app:a\0b",
        "a b:app",
        "..app",
        "1app",
        "app..web",
    ],
)
def test_refused(text: str) -> None:
    """Nothing that is typed is run as code, and nothing ends in another exception."""
    with pytest.raises(AppError, match=r"(?s)\nhint: "):
        parse(text)
