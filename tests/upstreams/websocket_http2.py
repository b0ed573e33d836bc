"""A client of WebSocket over HTTP/2 (RFC 8441): frames by h2, messages by wsproto."""

from __future__ import annotations

from typing import TYPE_CHECKING

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.settings import SettingCodes
from wsproto import ConnectionType
from wsproto.connection import Connection as Messages
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage

if TYPE_CHECKING:
    import socket
    import ssl
    from types import TracebackType

    from tests.address import Address


class Tunnel:
    """One stream."""

    def __init__(self, client: Client, number: int) -> None:
        self.client = client
        self.number = number
        self.fields: dict[str, str] = {}
        #: What came and was not asked for yet.
        self.data = b""
        self.has_ended = False
        self.reset: int | None = None
        self._messages = Messages(ConnectionType.CLIENT)

    @property
    def status(self) -> str | None:
        """What the request was answered, as soon as it is."""
        while not (self.fields or self.is_over):
            self.client.step()
        return self.fields.get(":status")

    @property
    def is_over(self) -> bool:
        """Nothing more comes."""
        return self.has_ended or self.reset is not None

    def send(self, event: Event) -> None:
        """A message, or what controls the connection."""
        self.send_bytes(self._messages.send(event))

    def send_bytes(self, data: bytes) -> None:
        """Bytes, no faster than the other end takes them."""
        while data:
            room = self.client.room(self.number)
            if room == 0:
                self.client.step()
            else:
                self.client.data(self.number, data[:room])
                data = data[room:]

    def end(self) -> None:
        """Says that nothing more follows."""
        self.client.end(self.number)

    def receive_bytes(self, count: int) -> bytes:
        """So many bytes."""
        while len(self.data) < count:
            assert not self.is_over, (self.data, self.reset)
            self.client.step()
        found, self.data = self.data[:count], self.data[count:]
        return found

    def receive(self) -> str | bytes | Event:
        """A whole message, or what else comes."""
        whole: list[str | bytes] = []
        while True:
            for event in self._messages.events():
                if not isinstance(event, (TextMessage, BytesMessage)):
                    return event
                whole.append(event.data if isinstance(event, TextMessage) else bytes(event.data))
                if event.message_finished:
                    return "".join(map(str, whole)) if isinstance(event, TextMessage) else _joined(whole)
            while not self.data:
                assert not self.is_over, self.reset
                self.client.step()
            data, self.data = self.data, b""
            self._messages.receive_data(data)

    def close(self) -> None:
        """Says goodbye, and waits for the same and for the end."""
        self.send(CloseConnection(code=1000))
        assert isinstance(self.receive(), CloseConnection)
        self.end()
        while not self.is_over:
            self.client.step()

    def ping(self) -> None:
        """Asks the other end whether it is there, which it is."""
        self.send(Ping(payload=b"there?"))
        answer = self.receive()
        assert isinstance(answer, Pong)
        assert bytes(answer.payload) == b"there?"


class Client:
    """One connection with any number of streams."""

    def __init__(self, address: Address, trusted: ssl.SSLContext | None = None) -> None:
        self.socket: socket.socket = address.connect(20)
        if trusted is not None:
            trusted.set_alpn_protocols(["h2"])
            self.socket = trusted.wrap_socket(self.socket, server_hostname="localhost")
        self.tunnels: dict[int, Tunnel] = {}
        #: Whether the server knows extended CONNECT; none before it has said anything.
        self.is_offered: bool | None = None
        self.is_told_to_leave = False
        self._protocol = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._protocol.initiate_connection()
        self._flush()
        while self.is_offered is None:
            self.step()

    def open(self, path: str = "/", *more: tuple[str, str], protocol: str = "websocket") -> Tunnel:
        """Asks for a tunnel."""
        head = [
            (":method", "CONNECT"),
            (":protocol", protocol),
            (":scheme", "http"),
            (":path", path),
            (":authority", "test.example"),
            ("sec-websocket-version", "13"),
        ]
        return self._request([*head, *more], ends=False)

    def get(self, path: str) -> Tunnel:
        """An ordinary request."""
        head = [(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "test.example")]
        return self._request(head, ends=True)

    def reset(self, tunnel: Tunnel) -> None:
        """Wants it no more."""
        self._protocol.reset_stream(tunnel.number, error_code=8)
        self._flush()

    def room(self, number: int) -> int:
        """How many bytes may be sent now."""
        window = self._protocol.local_flow_control_window(number)
        return min(window, self._protocol.max_outbound_frame_size)

    def data(self, number: int, data: bytes) -> None:
        """Sends bytes for which there is room."""
        self._protocol.send_data(number, data)
        self._flush()

    def end(self, number: int) -> None:
        """Ends a stream."""
        self._protocol.end_stream(number)
        self._flush()

    def step(self) -> None:
        """Takes what comes next."""
        data = self.socket.recv(65536)
        assert data, "the connection ended"
        for event in self._protocol.receive_data(data):
            if isinstance(event, RemoteSettingsChanged):
                changed = event.changed_settings.get(SettingCodes.ENABLE_CONNECT_PROTOCOL)
                self.is_offered = changed is not None and changed.new_value == 1
            elif isinstance(event, ConnectionTerminated):
                self.is_told_to_leave = True
            else:
                self._take(event)
        self._flush()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def _request(self, head: list[tuple[str, str]], *, ends: bool) -> Tunnel:
        tunnel = Tunnel(self, self._protocol.get_next_available_stream_id())
        self.tunnels[tunnel.number] = tunnel
        self._protocol.send_headers(tunnel.number, head, end_stream=ends)
        self._flush()
        return tunnel

    def _take(self, event: object) -> None:
        if isinstance(event, ResponseReceived):
            fields = {str(name): str(value) for name, value in event.headers or []}
            self.tunnels[_number(event.stream_id)].fields = fields
        elif isinstance(event, DataReceived):
            number = _number(event.stream_id)
            self.tunnels[number].data += event.data or b""
            self._protocol.acknowledge_received_data(event.flow_controlled_length or 0, number)
        elif isinstance(event, StreamEnded):
            self.tunnels[_number(event.stream_id)].has_ended = True
        elif isinstance(event, StreamReset):
            self.tunnels[_number(event.stream_id)].reset = int(event.error_code or 0)

    def _flush(self) -> None:
        self.socket.sendall(self._protocol.data_to_send())


def _joined(parts: list[str | bytes]) -> bytes:
    return b"".join(part for part in parts if isinstance(part, bytes))


def _number(stream: int | None) -> int:
    assert stream is not None
    return stream
