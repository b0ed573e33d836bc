"""Keys that root alone may read: the supervisor reads them for a front that has given up root, and workers have none.

These tests need root: they fail without.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.front.certificates import Authority
from tests.front.conftest import pid_of
from tests.front.tls_client import context, get
from tests.hosts.conftest import REACHABLE
from tests.server import Server

APP = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]
"""


def test_keys_may_be_for_root_alone(common: Path, tmp_path: Path) -> None:
    (common / "hello.py").write_text(APP)
    authority = Authority(tmp_path / "authority")
    pair = authority.sign("rooted", "localhost")
    pair.key.chmod(0o600)
    options = (*pair.options, "--state-dir", str(tmp_path / "state"), "--user", "www-data")
    with Server.start("hello:app", *options, cwd=common, wrapper=REACHABLE) as server:
        assert get(server, context(authority)).body == b"hello"
        [front] = pid_of(server, "tapster-front")
        assert Path(f"/proc/{front}").stat().st_uid != 0
        server.send(signal.SIGHUP)
        server.log.wait_for("the certificates were read anew")
        os.kill(front, signal.SIGKILL)
        server.log.wait_for("another is started")
        assert get(server, context(authority)).body == b"hello"
        # What the front was given, no worker has.
        for pid in pid_of(server, "tapster-w"):
            links = [os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()]
            assert not [link for link in links if "tapster-tls" in link]
