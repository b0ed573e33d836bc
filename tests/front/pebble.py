"""A real authority for the tests of `--domain`: Pebble, the test server of Let's Encrypt, and the names that it looks up.

It is on a loopback address of its own, and so are the ports on which it looks for proofs: 127.0.0.0/8 has room for many.
"""

from __future__ import annotations

import json
import os
import random
import re
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.request import urlopen

from tests.address import Address
from tests.front.certificates import Authority
from tests.log import Log
from tests.server import wait_until_listening

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

#: Where it looks for proofs.
HTTP, TLS = 5002, 5001


class Names:
    """A name server: every name is at one address, but for those that are `unknown`."""

    def __init__(self, host: str) -> None:
        self.unknown: set[str] = set()
        #: As long as it is cleared nobody gets an answer.
        self.answers = threading.Event()
        self.answers.set()
        #: Set as soon as somebody asked.
        self.asked = threading.Event()
        self._address = socket.inet_aton(host)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Ends it."""
        self.answers.set()
        self._socket.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                question, client = self._socket.recvfrom(4096)
                self.asked.set()
                self.answers.wait()
                self._socket.sendto(self._answer(question), client)

    def _answer(self, packet: bytes) -> bytes:
        labels, place = list[str](), 12
        while packet[place]:
            labels.append(packet[place + 1 : place + 1 + packet[place]].decode())
            place += 1 + packet[place]
        question, is_a = packet[12 : place + 5], packet[place + 1 : place + 3] == b"\0\x01"
        is_known = ".".join(labels) not in self.unknown
        answers = is_a and is_known
        head = packet[:2] + (b"\x81\x80" if is_known else b"\x81\x83")
        record = b"\xc0\x0c\0\x01\0\x01\0\0\0\0\0\x04" + self._address if answers else b""
        return head + b"\0\x01" + (b"\0\x01" if answers else b"\0\0") + b"\0\0\0\0" + question + record


@dataclass
class Pebble:
    """The authority. Started and stopped as often as wanted; it forgets everything when it stops."""

    directory: Path
    #: Seconds for which its certificates are good.
    validity: int = 90 * 24 * 60 * 60
    #: Names that it signs nothing for.
    blocked: tuple[str, ...] = ()
    host: str = field(
        default_factory=lambda: "127." + ".".join(str(random.randint(64, 250)) for _ in range(3))
    )

    def __post_init__(self) -> None:
        self._own = Authority(self.directory / "own", "Signs the certificate of Pebble itself")
        self._pair = self._own.sign("pebble", self.host)
        self.names = Names(self.host)
        self._process: subprocess.Popen[bytes] | None = None
        self._log: Log | None = None

    @property
    def options(self) -> tuple[str, ...]:
        """The options that make a server use it, and listen where it looks."""
        here = ("--bind", f"{self.host}:{TLS}", "--tls-redirect-bind", f"{self.host}:{HTTP}")
        return (*here, *self.directory_options)

    @property
    def directory_options(self) -> tuple[str, ...]:
        """The options that make a server use it."""
        directory = f"https://{self.host}:14000/dir"
        return ("--acme-directory", directory, "--acme-ca-file", str(self._own.certificate))

    def start(self) -> None:
        """Starts it, and waits until it listens."""
        config = {
            "listenAddress": f"{self.host}:14000",
            "managementListenAddress": f"{self.host}:15000",
            "certificate": str(self._pair.certificate),
            "privateKey": str(self._pair.key),
            "httpPort": HTTP,
            "tlsPort": TLS,
            "certificateValidityPeriod": self.validity,
            "domainBlocklist": list(self.blocked),
        }
        path = self.directory / "pebble.json"
        path.write_text(json.dumps({"pebble": config}))
        self._process = subprocess.Popen(
            ["pebble", "-config", str(path), "-dnsserver", f"{self.host}:{self.names.port}"],
            env={**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert self._process.stdout
        self._log = Log(self._process.stdout)
        wait_until_listening(Address(self.host, 14000))
        wait_until_listening(Address(self.host, 15000))

    def stop(self) -> None:
        """Ends it, if it runs."""
        if self._process:
            self._process.kill()
            self._process.wait()
        self._process = None

    def issued(self) -> int:
        """How many certificates it signed since its start."""
        assert self._log
        return len(self._log.find("Issued certificate serial"))

    def said(self, pattern: str) -> int:
        """How often it said something."""
        assert self._log
        return len(re.findall(pattern, self._log.text()))

    def root(self) -> Path:
        """Who signed its certificates, as a file."""
        made = ssl.create_default_context(cafile=str(self._own.certificate))
        path = self.directory / "root.pem"
        with urlopen(f"https://{self.host}:15000/roots/0", context=made, timeout=10) as answer:
            path.write_bytes(answer.read())
        return path

    def __enter__(self) -> Pebble:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind and self._log:
            sys.stderr.write(f"log of Pebble:\n{self._log.text()}\n")
        self.stop()
        self.names.close()
