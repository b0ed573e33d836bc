"""A site: a proxy and two Tapsters, each on its host, all configured by the files of deploy/."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from tests.address import Address
from tests.deploy.network import OUTSIDE, SERVING, Host, Network
from tests.deploy.proxies import DEPLOY, KINDS, Proxy
from tests.nginx.front import TlsAddress
from tests.server import Server
from tests.upgrade.generations import Generations
from tests.wire import Response, exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

APP = "deployed:application"


class Site:
    """Both are started when it is entered."""

    def __init__(self, network: Network, name: str, directory: Path) -> None:
        self.network, self.kind = network, KINDS[name]
        self.address, self.tls = Address(host=OUTSIDE, port=80), TlsAddress(host=OUTSIDE, port=443)
        self._directory = directory
        self._stack = ExitStack()
        self.servers: dict[str, Generations] = {}

    def __enter__(self) -> Site:
        for host in self.network.serving:
            self.start(host)
        proxy = Proxy(self.kind, self.network.proxy, self._directory / "proxy")
        self.proxy = self._stack.enter_context(proxy)
        try:
            with self.network.client.inside():
                self.wait_for(set(SERVING))
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def start(self, host: Host) -> None:
        """Starts the Tapster of a host."""
        words = ["--config", str(self._configuration()), APP, "--access-log", "off"]
        server = Server(*words, "--env", f"HOST_NAME={host.name}", wrapper=host.wrapper)
        self.servers[host.name] = Generations(self._stack.enter_context(server))
        server.wait_ready()

    def stop(self, host: Host) -> None:
        """TERM, and waits for the end."""
        self.servers.pop(host.name).stop(40.0)

    def get(self, target: str, fields: dict[str, str] | None = None, timeout: float = 30.0) -> Response:
        """A request by a new client."""
        return exchange(self.address, http_request(target=target, fields=fields), timeout=timeout)

    def who_serves(self) -> str:
        """The host that answers a new client; empty when the proxy has nobody to ask."""
        response = self.get("/host")
        return response.body.decode() if response.status == 200 else ""

    def wait_for(self, names: set[str], timeout: float = 30.0) -> None:
        """Waits until exactly these hosts have answered twenty clients."""
        deadline = time.monotonic() + timeout
        seen: set[str] = set()
        while time.monotonic() < deadline:
            try:
                seen = {self.who_serves() for _ in range(20)}
            except (OSError, AssertionError):
                seen = set()
            if seen == names:
                return
            time.sleep(0.1)
        raise AssertionError(
            f"not within {timeout} s: {names} answer, but {seen}:\n{self.proxy.log.text()[-3000:]}"
        )

    def _configuration(self) -> Path:
        """deploy/tapster.toml, as its comments say that it is to be for this proxy."""
        lines = (DEPLOY / "tapster.toml").read_text().splitlines()
        for key in self.kind.uncommented:
            commented = [number for number, line in enumerate(lines) if line.startswith(f"# {key} =")]
            assert len(commented) == 1, f"deploy/tapster.toml should show {key}"
            lines = [line for line in lines if not line.startswith(f"{key} =")]
            lines = [line[2:] if line.startswith(f"# {key} =") else line for line in lines]
        written = self._directory / "tapster.toml"
        written.write_text("\n".join(lines) + "\n")
        return written
