"""Runs a real nginx with a configuration of examples/behind-nginx, its ports and paths rewritten for one test."""

from __future__ import annotations

import os
import re
import signal
import socket
import ssl
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.address import Address
from tests.log import Log
from tests.server import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

EXAMPLE = REPOSITORY / "examples" / "behind-nginx"


@dataclass(frozen=True)
class TlsAddress(Address):
    """An address that is spoken to over TLS; the certificate is a test's own."""

    def connect(self, timeout: float = 10.0) -> socket.socket:
        """A connected socket, after the handshake."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context.wrap_socket(super().connect(timeout))


class Nginx:
    """An nginx in a process group of its own. Its sockets are made here, so their ports are known and never raced for."""

    def __init__(self, configuration: str, upstream: Address, directory: Path) -> None:
        plain, tls = _listener(), _listener()
        self.address = _address_of(plain, Address)
        self.tls = _address_of(tls, TlsAddress)
        (directory / "run").mkdir(parents=True)
        make_certificate(directory)
        text = self._rewritten((EXAMPLE / configuration).read_text(), upstream, directory)
        (directory / "nginx.conf").write_text(text)
        descriptors = [plain.fileno(), tls.fileno()]
        self.process = subprocess.Popen(
            ["nginx", "-p", str(directory), "-e", "stderr", "-c", "nginx.conf"],
            # How nginx hands its sockets to its successor; here the test is the predecessor.
            env={**os.environ, "NGINX": "".join(f"{number};" for number in descriptors)},
            pass_fds=descriptors,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        plain.close()
        tls.close()
        assert self.process.stdout is not None
        self.log = Log(self.process.stdout)

    def errors(self) -> list[str]:
        """What nginx has to complain about, of its upstream above all."""
        return self.log.find(r"\[(error|crit|alert|emerg)\]")

    def __enter__(self) -> Nginx:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(5.0)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.log.join()
        # A response cut short, a connection closed too soon: what nginx dislikes about its upstream, it logs.
        assert kind is not None or not self.errors(), "\n".join(self.errors())

    def _rewritten(self, text: str, upstream: Address, directory: Path) -> str:
        tls = f"listen {self.tls.host}:{self.tls.port} ssl; ssl_certificate cert.pem; ssl_certificate_key key.pem;"
        text = _replace(r"listen 127\.0\.0\.1:8080;", f"listen {self.address}; {tls}", text)
        text = _replace(r"server (unix:run/tapster\.sock|127\.0\.0\.1:8000);", f"server {upstream};", text)
        text = _replace(r"(?m)^worker_processes auto;", "worker_processes 1;", text)
        user = "user root;\n" if os.geteuid() == 0 else ""
        return user + text.replace("cert.pem", f"{directory}/cert.pem").replace(
            "key.pem", f"{directory}/key.pem"
        )


def _replace(pattern: str, text: str, configuration: str) -> str:
    """The example must still have what the test rewrites."""
    changed, count = re.subn(pattern, lambda _: text, configuration)
    # Comments may show the same line once more.
    assert count >= 1, f"no {pattern} in the example's configuration"
    return changed


def _listener() -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    return listener


def _address_of(listener: socket.socket, kind: type[Address]) -> Address:
    host, port = listener.getsockname()
    return kind(host=host, port=port)


def make_certificate(directory: Path) -> None:
    """Writes cert.pem and key.pem."""
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    try:
        subprocess.run(
            ["openssl", *words.split(), "-keyout", directory / "key.pem", "-out", directory / "cert.pem"],
            check=True,
            capture_output=True,
        )
    except FileNotFoundError:
        pytest.fail("openssl is missing; `make system-packages` installs it")
