"""A host as a uwsgi.ini expects it, in a directory of a test: /srv, /run and /var below it, and an application in /srv/app."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

CORPUS = Path(__file__).with_name("uwsgi")

#: Says what a WSGI application can see of its server's configuration.
APPLICATION = """
    import json
    import os

    KEYS = ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REQUEST_METHOD", "wsgi.url_scheme",
            "wsgi.multithread", "wsgi.multiprocess", "wsgi.run_once", "REMOTE_ADDR", "HTTP_HOST")

    def page(environ, start_response):
        seen = {key: environ.get(key) for key in KEYS}
        # PEP 3333 wants it; uWSGI leaves it out where the web server does.
        seen["SCRIPT_NAME"] = seen["SCRIPT_NAME"] or ""
        seen["directory"] = os.getcwd()
        seen["settings"] = os.environ.get("APP_SETTINGS")
        seen["name"] = environ.get("test.name")
        seen["length"] = len(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
        body = json.dumps(seen, sort_keys=True).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    application = app = page

    def other(environ, start_response):
        environ["test.name"] = "other"
        return page(environ, start_response)

    def create_app():
        return page
"""


class Host:
    """The directory, with what files of the corpus name."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in (
            "run",
            "var/log",
            "var/lib",
            "srv/app/project",
            "srv/app/static",
            "srv/app/media",
            "etc",
        ):
            (root / name).mkdir(parents=True)
        for name in ("wsgi.py", "app.py", "site.wsgi", "project/wsgi.py", "project/__init__.py"):
            (root / "srv/app" / name).write_text(textwrap.dedent(APPLICATION))
        (root / "srv/app/static/a.css").write_text("a { color: red }\n")
        (root / "srv/app/media/b.txt").write_text("b\n")
        (root / "etc/secret").write_text("of a file\n")

    def install(self, name: str) -> Path:
        """Copies a file of the corpus to /etc, with the paths of this host and ports that the kernel chooses."""
        text = (CORPUS / name).read_text()
        text = re.sub(r"(?<![\w.%)])/(srv|run|var|etc)\b", rf"{self.root}/\1", text)
        path = self.root / "etc" / name
        path.write_text(re.sub(r":(?!8125)\d{3,5}\b(?!\.)", ":0", text))
        return path
