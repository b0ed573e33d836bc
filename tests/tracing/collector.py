"""A collector on the loopback that keeps what it is sent: OTLP over HTTP, and the traces of Datadog's agent."""

from __future__ import annotations

import gzip
import ssl
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Callable, cast

import msgpack  # pyright: ignore[reportMissingTypeStubs]
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from types import TracebackType

    from tests.front.certificates import Pair


@dataclass
class Span:
    """One span, whoever sent it. Ids are hexadecimal; Datadog's trace ids are the last 64 bits."""

    name: str
    trace: str
    span: str
    parent: str
    attributes: dict[str, Any]
    resource: dict[str, Any] = field(default_factory=dict[str, Any])
    kind: int = 0
    began: int = 0
    ended: int = 0
    is_error: bool = False


class Collector:
    """The server and what came so far."""

    def __init__(self, port: int = 0, tls: Pair | None = None) -> None:
        self.spans: list[Span] = []
        #: The points of the last report of each metric: attributes and value.
        self.metrics: dict[str, list[tuple[dict[str, Any], Any]]] = {}
        self.fields: dict[str, str] = {}
        #: What everybody is answered.
        self.status = 200
        self.requests: list[str] = []
        self.broken: list[str] = []
        self._changed = threading.Condition()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            """Answers everybody with an empty success."""

            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = collector.body_of(self)
                status = collector.status
                if status == 200:
                    collector.fields = {name.lower(): value for name, value in self.headers.items()}
                    collector.take(self.path, body)
                content = b"{}" if self.path.startswith("/v0") else b""
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_GET(self) -> None:
                self.do_POST()

            def do_PUT(self) -> None:
                self.do_POST()

            def log_message(self, format: str, *_arguments: object) -> None:  # noqa: A002
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls.certificate, tls.key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' if tls else ''}://localhost:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def body_of(self, handler: BaseHTTPRequestHandler) -> bytes:
        """The whole body, as it was before its encodings."""
        if handler.headers.get("Transfer-Encoding") == "chunked":
            body = b"".join(iter(lambda: _chunk(handler), b""))
        else:
            body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        return gzip.decompress(body) if handler.headers.get("Content-Encoding") == "gzip" else body

    def take(self, path: str, body: bytes) -> None:
        """Keeps what one request brought."""
        spans: list[Span] = []
        try:
            if path == "/v1/traces":
                spans = _otlp(body)
            elif path == "/v0.4/traces":
                spans = _datadog(body)
            elif path == "/v1/metrics":
                self.metrics.update(_metrics(body))
        except Exception as error:
            self.broken.append(f"{path}: {error!r}")
        with self._changed:
            self.requests.append(path)
            self.spans += spans
            self._changed.notify_all()

    def wait(self, holds: Callable[[], bool], what: str, timeout: float = 30.0) -> None:
        """Waits until it holds; looked at whenever something came."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not holds():
                left = deadline - time.monotonic()
                assert left > 0, f"{what}; came: {self.requests} {[s.name for s in self.spans]}"
                self._changed.wait(left)

    def of_trace(self, trace: str, name: str = "") -> list[Span]:
        """The spans of one trace in which `name` occurs."""
        return [span for span in list(self.spans) if trace.endswith(span.trace) and name in span.name]

    def __enter__(self) -> Collector:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        assert not self.broken, self.broken


def _chunk(handler: BaseHTTPRequestHandler) -> bytes:
    size = int(handler.rfile.readline().split(b";")[0], 16)
    data = handler.rfile.read(size)
    handler.rfile.readline()
    return data


def _otlp(body: bytes) -> list[Span]:
    request: Any = ExportTraceServiceRequest.FromString(body)
    return [
        Span(
            span.name,
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            _attributes(span.attributes),
            _attributes(resource.resource.attributes),
            span.kind,
            span.start_time_unix_nano,
            span.end_time_unix_nano,
            span.status.code == 2,
        )
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _metrics(body: bytes) -> dict[str, list[tuple[dict[str, Any], Any]]]:
    request: Any = ExportMetricsServiceRequest.FromString(body)
    return {
        metric.name: [
            (_attributes(point.attributes), getattr(point, "count", None) or getattr(point, "as_int", 0))
            for point in getattr(metric, metric.WhichOneof("data")).data_points
        ]
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "", None) for pair in pairs}


def _datadog(body: bytes) -> list[Span]:
    unpack = cast("Callable[..., Any]", msgpack.unpackb)  # pyright: ignore[reportUnknownMemberType]
    traces: list[list[dict[str, Any]]] = unpack(body, strict_map_key=False)
    return [
        Span(
            span["resource"],
            f"{span['trace_id']:016x}",
            f"{span['span_id']:016x}",
            f"{span['parent_id']:016x}",
            {**span.get("meta", {}), "pid": span.get("metrics", {}).get("process_id")},
        )
        for trace in traces
        for span in trace
    ]
