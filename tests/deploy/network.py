"""Four hosts on two networks, made of network namespaces: a client, a proxy, and two that serve. Takes root.

    client 192.0.2.9 ── 192.0.2.1 proxy 10.0.0.1 ─┬─ 10.0.0.11 one
                                                  └─ 10.0.0.12 two

The namespaces have no names: they are gone with the last process in them.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

CLONE_NEWNET = 0x40000000
CLIENT, OUTSIDE, INSIDE = "192.0.2.9", "192.0.2.1", "10.0.0.1"
SERVING = {"one": "10.0.0.11", "two": "10.0.0.12"}


@dataclass(frozen=True)
class Host:
    """A network namespace, by a descriptor of it."""

    name: str
    descriptor: int

    @property
    def wrapper(self) -> list[str]:
        """In front of a command: runs it on this host."""
        return ["nsenter", f"--net={self.path}"]

    @property
    def path(self) -> str:
        """Leads to the namespace for other processes."""
        return f"/proc/{os.getpid()}/fd/{self.descriptor}"

    def run(self, *command: str) -> None:
        """Runs a command there to its end."""
        done = subprocess.run([*self.wrapper, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)} on {self.name}: {done.stderr}"

    @contextmanager
    def inside(self) -> Generator[None]:
        """This thread, and the threads and processes that it starts, are on this host."""
        with _stay():
            _enter(self.descriptor)
            yield


class Network:
    """The hosts and the cables between them."""

    def __init__(self) -> None:
        self.client, self.proxy = make_host("client"), make_host("proxy")
        self.serving = [make_host(name) for name in SERVING]
        self.proxy.run("ip", "link", "add", "inside", "type", "bridge")
        self._connect(self.client, "outside", CLIENT, "outside")
        self.proxy.run("ip", "address", "add", f"{OUTSIDE}/24", "dev", "outside")
        for host in self.serving:
            self._connect(host, "inside", SERVING[host.name], host.name)
            self.proxy.run("ip", "link", "set", host.name, "master", "inside")
        self.proxy.run("ip", "address", "add", f"{INSIDE}/24", "dev", "inside")
        self.proxy.run("ip", "link", "set", "inside", "up")

    def cut_off(self, host: Host) -> None:
        """Pulls the host's cable: what is sent to it is lost, and nobody says so."""
        self.proxy.run("ip", "link", "set", host.name, "down")

    def bring_back(self, host: Host) -> None:
        """Puts the cable back."""
        self.proxy.run("ip", "link", "set", host.name, "up")

    def close(self) -> None:
        """Gives the namespaces up."""
        for host in [self.client, self.proxy, *self.serving]:
            os.close(host.descriptor)

    def _connect(self, host: Host, link: str, address: str, at_proxy: str) -> None:
        """A cable from a host to the proxy, with an address at the host's end."""
        self.proxy.run(
            *("ip", "link", "add", at_proxy, "type", "veth", "peer", "name", link, "netns", host.path)
        )
        host.run("ip", "address", "add", f"{address}/24", "dev", link)
        host.run("ip", "link", "set", link, "up")
        self.proxy.run("ip", "link", "set", at_proxy, "up")


def make_host(name: str) -> Host:
    """A host with no cable. Its descriptor is the caller's to close."""
    if os.geteuid() != 0:
        pytest.skip("not on this system: the right to make a network namespace")
    with _stay():
        _check(_libc().unshare(CLONE_NEWNET), "unshare")
        descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    host = Host(name, descriptor)
    host.run("ip", "link", "set", "lo", "up")
    return host


@contextmanager
def _stay() -> Generator[None]:
    """Brings this thread back to where it was."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        _enter(before)
        os.close(before)


def _enter(descriptor: int) -> None:
    _check(_libc().setns(descriptor, CLONE_NEWNET), "setns")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int, call: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
