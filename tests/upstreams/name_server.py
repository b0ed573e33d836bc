"""A name server on loopback (RFC 1035), by UDP and TCP: answers as it is told, and keeps what it was asked."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

if TYPE_CHECKING:
    from types import TracebackType

#: Bytes that fit into a datagram for who does not offer more.
DATAGRAM = 512

SECOND = 1


@dataclass
class Zone:
    """What a name has: addresses of IPv4, or another name."""

    addresses: list[str]
    ttl: int = SECOND
    alias: str | None = None
    #: What is said in the place of all that.
    code: dns.rcode.Rcode = dns.rcode.NOERROR


@dataclass
class Asked:
    """How often each name was asked for addresses of IPv4."""

    count: dict[str, int] = field(default_factory=dict[str, int])
    by_tcp: set[str] = field(default_factory=set[str])


class NameServer:
    """Listens on a port of both protocols; its own if none is given."""

    def __init__(self, names: dict[str, Zone], host: str = "127.0.0.1", port: int = 0) -> None:
        self.names = names
        self.asked = Asked()
        self._changed = threading.Condition()
        self._streams, self._datagrams = _both(host, port)
        self.host, self.port = host, int(self._streams.getsockname()[1])
        threading.Thread(target=self._serve_datagrams, daemon=True).start()
        threading.Thread(target=self._serve_streams, daemon=True).start()

    @property
    def option(self) -> tuple[str, str]:
        """For a front that asks it."""
        return "--resolver", f"{self.host}:{self.port}"

    def wait_asked(self, name: str, more: int, timeout: float = 30.0) -> None:
        """Waits until a name was asked for so many more times."""
        with self._changed:
            wanted = self.asked.count.get(name, 0) + more
            assert self._changed.wait_for(lambda: self.asked.count.get(name, 0) >= wanted, timeout), (
                self.asked
            )

    def close(self) -> None:
        """Is there no more."""
        for one in (self._streams, self._datagrams):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def __enter__(self) -> NameServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _serve_datagrams(self) -> None:
        with suppress(OSError):
            while True:
                asked, peer = self._datagrams.recvfrom(4096)
                if not asked:
                    return
                said = self._answer(asked, is_stream=False)
                # What a forger would send who does not know the number, and what nobody can read.
                for noise in (bytes([said[0] ^ 1]) + said[1:], asked, b"noise"):
                    self._datagrams.sendto(noise, peer)
                self._datagrams.sendto(said, peer)

    def _serve_streams(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._streams.accept()
                with connection, connection.makefile("rb") as stream:
                    asked = stream.read(int.from_bytes(stream.read(2), "big"))
                    said = self._answer(asked, is_stream=True)
                    connection.sendall(len(said).to_bytes(2, "big") + said)

    def _answer(self, asked: bytes, *, is_stream: bool) -> bytes:
        query = dns.message.from_wire(asked)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        reply = dns.message.make_response(query)
        zone = self.names.get(name)
        if zone is None:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        else:
            reply.set_rcode(zone.code)
            self._fill(reply, zone, name, question.rdtype)
        said = reply.to_wire()
        if not is_stream and len(said) > DATAGRAM:
            reply.answer.clear()
            reply.flags |= dns.flags.TC
            said = reply.to_wire()
        self._note(name, question.rdtype, is_stream=is_stream)
        return said

    def _note(self, name: str, kind: dns.rdatatype.RdataType, *, is_stream: bool) -> None:
        with self._changed:
            if kind == dns.rdatatype.A:
                self.asked.count[name] = self.asked.count.get(name, 0) + 1
            if is_stream:
                self.asked.by_tcp.add(name)
            self._changed.notify_all()

    def _fill(self, reply: dns.message.Message, zone: Zone, name: str, kind: dns.rdatatype.RdataType) -> None:
        if zone.alias is not None:
            reply.answer.append(_records(name, zone.ttl, "CNAME", f"{zone.alias}."))
            name, zone = zone.alias, self.names[zone.alias]
        if kind == dns.rdatatype.A and zone.addresses:
            reply.answer.append(_records(name, zone.ttl, "A", *zone.addresses))


def _records(name: str, ttl: int, kind: str, *values: str) -> dns.rrset.RRset:
    return dns.rrset.from_text(f"{name}.", ttl, "IN", kind, *values)  # pyright: ignore[reportUnknownMemberType]


def _both(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """A port that is free for both."""
    while True:
        streams = socket.create_server((host, port))
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            datagrams.bind((host, streams.getsockname()[1]))
        except OSError:
            streams.close()
            datagrams.close()
            if port != 0:
                raise
        else:
            return streams, datagrams
