"""What an application says of a request for the access log: `tapster.set_log_variable`."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["set_log_variable"]


def set_log_variable(name: str, value: object) -> None:
    """Have the access log show `value` as `name` for the request that this thread answers.

    `--access-log-format` shows it with `%(name)`, or `%(logvar.name)` where the name is much like one
    that the server knows, and `json` has all of them as `variables`. A later value replaces an earlier
    one. Each request has up to 32, and a line shows their first 384 bytes. Does nothing outside a request,
    in another thread than the one that answers it, in another server, and where no format shows them.
    """
    # In another server the module is not loaded, and need not be there.
    native: Any = sys.modules.get("tapster._native")
    if native is not None:
        native.set_log_variable(name, str(value))
