"""What a worker does under `--reload`. Imported only then, by the native module, in the worker.

`modules.py` says which files the application is made of, `error_page.py` answers for one that cannot be loaded,
`bytecode.py` keeps a fast second save from being taken for the first. No public API.
"""

from __future__ import annotations

from tapster.development.bytecode import write_no_fresh_bytecode
from tapster.development.error_page import ErrorPage
from tapster.development.modules import report_modules

__all__ = ["ErrorPage", "report_modules", "write_no_fresh_bytecode"]
