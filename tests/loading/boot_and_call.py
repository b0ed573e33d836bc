"""Does what a worker does with an application, and prints what came of it.

Run by `test_cases.py`, in a process of its own.
"""

from __future__ import annotations

import argparse
import io
import sys
from wsgiref.util import setup_testing_defaults

from tapster._worker import boot
from tapster.loading import AppError


def main() -> None:
    """Load the application that the arguments name, ask it for one page, and print name, status and body."""
    parser = argparse.ArgumentParser()
    parser.add_argument("app", nargs="?")
    parser.add_argument("--chdir")
    parser.add_argument("--pythonpath", action="append", default=[])
    parser.add_argument("--env", action="append", default=[])
    options = parser.parse_args()
    env = [(name, value) for name, _, value in (pair.partition("=") for pair in options.env)]
    try:
        application, name = boot(options.app, options.chdir, options.pythonpath, env)
    except AppError as error:
        sys.stdout.write(f"{error}\n")
        return
    environ: dict[str, object] = {"wsgi.input": io.BytesIO()}
    setup_testing_defaults(environ)
    statuses: list[str] = []

    def start_response(status: str, headers: object, exc_info: object = None) -> None:
        statuses.append(status)

    body = b"".join(application(environ, start_response))
    sys.stdout.write(f"serves {name}\n{statuses[0]}: {body.decode().strip()}\n")


if __name__ == "__main__":
    main()
