"""The one exception of app loading, and the block in which the application's own code runs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


class AppError(Exception):
    """The application cannot be served; `str()` is the whole message.

    The first line says what happened, then comes the application's own traceback if there is one, then
    a line that starts with `hint: ` and says what to write instead.
    """

    def __init__(self, what: str, hint: str | None = None, cause: BaseException | None = None) -> None:
        parts = [what]
        if cause is not None:
            from tapster.loading.tracebacks import app_traceback

            parts.append(app_traceback(cause))
        if hint is not None:
            parts.append(f"hint: {hint}")
        super().__init__("\n".join(parts))


class NothingToServeError(AppError):
    """The module was imported and no object in it looks like an application."""


@contextmanager
def app_code(doing: str) -> Generator[None, None, None]:
    """Run code of the application: whatever it raises becomes an `AppError` that begins with `doing`."""
    try:
        yield
    except (AppError, KeyboardInterrupt):
        raise
    except BaseException as error:
        # The application may raise anything, and its worker must say so rather than die of it.
        from tapster.loading.failures import explain

        raise explain(error, doing) from None
