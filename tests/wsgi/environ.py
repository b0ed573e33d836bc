"""The page of apps/environ_page.py as the tests read it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.wire import Response


class Environ:
    """Values by key; types by key."""

    def __init__(self, response: Response) -> None:
        assert response.status == 200, response
        page: dict[str, tuple[str, Any]] = json.loads(response.body)
        self.types = {key: pair[0] for key, pair in page.items()}
        self.values = {key: pair[1] for key, pair in page.items()}

    def __getitem__(self, key: str) -> Any:
        return self.values[key]

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def cgi(self) -> dict[str, str]:
        """The variables of CGI: no `wsgi.*`, nothing of the page's own."""
        return {key: value for key, value in self.values.items() if "." not in key}
