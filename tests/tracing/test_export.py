"""`--otlp`: spans of requests and metrics that the server itself sends to a collector."""

from __future__ import annotations

import json
import os
import secrets
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.front.certificates import Authority
from tests.metrics.scrape import ADMIN, wait_for
from tests.server import Server, wait_gone
from tests.tracing.collector import Collector
from tests.tracing.test_wrappers import open_telemetry, tool
from tests.wire import Connection, Response, exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Serve
    from tests.tracing.collector import Span

PAGE = "environ_page:application"
STATUS = "http.response.status_code"


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Outlives the server of the test."""
    with Collector() as started:
        yield started


def exporter_of(server: Server) -> int | None:
    """The process that exports, if there is one."""
    for pid in server.worker_pids():
        with suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text().strip() == "tapster-otlp":
                return pid
    return None


def page_of(answer: Response) -> dict[str, list[str]]:
    """The environ of the request: types and values."""
    page: dict[str, list[str]] = json.loads(answer.body)
    return page


def ask(server: Server, target: str = "/", **fields: str) -> str:
    """The `traceparent` that the application got."""
    names = {name.replace("_", "-"): value for name, value in fields.items()}
    page = page_of(exchange(server.address, http_request(target=target, fields=names)))
    return page.get("HTTP_TRACEPARENT", ["", ""])[1]


def arrived(collector: Collector, told: str) -> Span:
    """Waits for the span that the application was told of."""
    _, trace, span, flags = told.split("-")
    assert flags == "01"

    def found() -> list[Span]:
        return [one for one in collector.of_trace(trace) if one.span == span]

    collector.wait(lambda: bool(found()), f"no span {span}")
    assert len(found()) == 1
    return found()[0]


def test_every_request_of_all_workers_has_one_span(serve: Serve, collector: Collector) -> None:
    server = serve(PAGE, "--workers", "2", "--otlp-endpoint", collector.url, "--request-id", "on")
    before = time.time_ns()
    told: list[str] = []
    for _ in range(20):
        with Connection(server.address) as connection:
            for _ in range(10):
                connection.send(http_request(target="/a/b?secret=1", fields={"User-Agent": "tests"}))
                told.append(page_of(connection.read_response())["HTTP_TRACEPARENT"][1])
    collector.wait(lambda: len(collector.spans) >= 200, "200 spans")
    assert len(collector.spans) == 200
    assert {span.span for span in collector.spans} == {text.split("-")[2] for text in told}
    span = collector.spans[0]
    assert (span.name, span.kind, span.parent, span.is_error) == ("GET", 2, "", False)
    assert before <= span.began <= span.ended <= time.time_ns()
    attributes = span.attributes
    assert attributes["http.request.method"] == "GET" and attributes[STATUS] == 200
    assert attributes["url.path"] == "/a/b" and attributes["url.scheme"] == "http"
    assert attributes["user_agent.original"] == "tests" and attributes["client.address"] == "127.0.0.1"
    assert attributes["network.protocol.version"] == "1.1" and attributes["server.address"]
    assert len(attributes["tapster.request_id"]) == 32 and attributes["tapster.queue_time"] >= 0
    assert {span.attributes["tapster.worker"] for span in collector.spans} <= {1, 2}
    assert span.resource["service.name"] == "unknown_service:tapster"


def test_a_trace_is_continued_and_its_flag_obeyed(serve: Serve, collector: Collector) -> None:
    server = serve(PAGE, "--otlp-endpoint", collector.url)
    trace, parent = secrets.token_hex(16), secrets.token_hex(8)
    told = ask(server, traceparent=f"00-{trace}-{parent}-01", tracestate="a=b")
    span = arrived(collector, told)
    assert (span.trace, span.parent) == (trace, parent)
    unsampled = f"00-{trace}-{parent}-00"
    assert ask(server, traceparent=unsampled) == unsampled
    broken = ask(server, traceparent="00-nonsense")
    assert not arrived(collector, broken).parent


def test_who_is_not_believed_begins_a_new_trace(serve: Serve, collector: Collector) -> None:
    server = serve(PAGE, "--otlp-endpoint", collector.url, "--forwarded-allow-ips", "192.0.2.1")
    trace, parent = secrets.token_hex(16), secrets.token_hex(8)
    fields = {"traceparent": f"00-{trace}-{parent}-01", "tracestate": "a=b"}
    page = page_of(exchange(server.address, http_request(fields=fields)))
    span = arrived(collector, page["HTTP_TRACEPARENT"][1])
    assert span.trace != trace and not span.parent
    assert "HTTP_TRACESTATE" not in page


def test_failures_and_samples(serve: Serve, collector: Collector) -> None:
    env = {"OTEL_TRACES_SAMPLER": "always_off", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    silent = serve(PAGE, "--otlp", env=env)
    assert ask(silent) == ""
    failing = serve("misbehaves:raises", "--otlp", "--otlp-sampling", "1", env=env)
    assert exchange(failing.address, http_request(target="/raise?kind=Exception&where=call")).status == 500
    collector.wait(lambda: bool(collector.spans), "the failure")
    assert collector.spans[0].is_error and collector.spans[0].attributes["error.type"] == "500"


def test_the_applications_span_is_a_part_of_the_servers(collector: Collector) -> None:
    env = open_telemetry(collector)
    wrapper = [tool("opentelemetry-instrument")]
    with Server.start("traced:app", "--otlp", env=env, wrapper=wrapper) as server:
        trace, parent = secrets.token_hex(16), secrets.token_hex(8)
        fields = {"traceparent": f"00-{trace}-{parent}-01"}
        assert exchange(server.address, http_request(fields=fields)).status == 200
        collector.wait(lambda: len(collector.of_trace(trace)) == 2, "two spans")
        by_parent = {span.parent: span for span in collector.of_trace(trace)}
        own = by_parent[parent]
        assert by_parent[own.span].name == "GET /"


def test_a_stop_sends_what_there_is_with_headers_over_tls(serve: Serve, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    with Collector(tls=authority.sign("localhost", "localhost")) as collector:
        env = {"OTEL_EXPORTER_OTLP_CERTIFICATE": str(authority.certificate), "OTEL_SERVICE_NAME": "shop"}
        server = serve(PAGE, "--otlp-endpoint", collector.url, "--otlp-header", "api-key=a b", env=env)
        told = ask(server)
        assert server.stop() == 0
        assert arrived(collector, told).resource["service.name"] == "shop"
        assert collector.fields["api-key"] == "a b"
        assert collector.fields["content-type"] == "application/x-protobuf"
        collector.wait(lambda: "/v1/metrics" in collector.requests, "the last metrics")


def test_metrics_say_what_was_answered(serve: Serve, collector: Collector) -> None:
    server = serve(PAGE, "--otlp-endpoint", collector.url, "--otlp-interval", "200ms", "--otlp-spans", "off")
    assert [ask(server) for _ in range(5)] == [""] * 5
    duration = "http.server.request.duration"
    collector.wait(
        lambda: collector.metrics.get(duration) == [({"tapster.status_class": "2xx"}, 5)], duration
    )
    expected = ({"http.request.method": "GET", STATUS: 200}, 5)
    collector.wait(lambda: collector.metrics["tapster.requests"] == [expected], "requests")
    assert not collector.spans


def test_a_collector_that_is_away_holds_up_nothing(serve: Serve) -> None:
    with Collector() as gone:
        url, port = gone.url, int(gone.url.rpartition(":")[2])
    server = serve(PAGE, "--otlp-endpoint", url, "--otlp-metrics", "off")
    told = ask(server)
    server.log.wait_for("nothing can be sent to the collector")
    assert ask(server)
    with Collector(port=port) as back:
        arrived(back, told)
        server.log.wait_for("is reached again")


def test_a_stop_waits_for_no_collector_for_long(serve: Serve, collector: Collector) -> None:
    collector.status = 503
    server = serve(PAGE, "--otlp-endpoint", collector.url)
    ask(server)
    server.log.wait_for("nothing can be sent to the collector")
    assert server.stop(timeout=15) == 0


def test_killed_workers_and_exporters_are_made_up_for(serve: Serve, collector: Collector) -> None:
    server = serve(PAGE, "--otlp-endpoint", collector.url)
    first = exporter_of(server)
    assert first
    arrived(collector, ask(server))
    os.kill(first, signal.SIGKILL)
    server.log.wait_for("process of --otlp was killed by SIGKILL and is started again")
    told = ask(server)
    # What it finds in the rings is sent by the next one.
    arrived(collector, told)
    (worker,) = set(server.worker_pids()) - {exporter_of(server)}
    with Connection(server.address) as connection:
        connection.send(http_request())
        told = page_of(connection.read_response())["HTTP_TRACEPARENT"][1]
        # A request is recorded when its answer has left, and before the next one is read.
        connection.send(http_request())
        connection.read_response()
        os.kill(worker, signal.SIGKILL)
    arrived(collector, told)
    wait_gone([worker], 20)
    server.log.wait_for("worker 1 .*was killed by SIGKILL")


def test_an_exporter_that_stands_still_holds_up_nothing(serve: Serve, collector: Collector) -> None:
    server = serve("plain:application", *ADMIN, "--threads", "1", "--otlp-endpoint", collector.url)
    exporter = exporter_of(server)
    assert exporter
    os.kill(exporter, signal.SIGSTOP)
    with Connection(server.address) as connection:
        for _ in range(1100):
            connection.send(http_request())
            assert connection.read_response().status == 200
    # The last one is recorded when its answer has left.
    dropped = {"reason": "no_room"}
    wait_for(server, lambda scrape: scrape.sum("tapster_spans_dropped_total", **dropped) == 1100 - 1024)
    assert server.stop() == 0
    assert server.log.find(r"process of --otlp \(pid \d+\) did not end in time: killed")


def test_a_share_of_requests_has_spans(serve: Serve, collector: Collector) -> None:
    server = serve(PAGE, "--workers", "2", "--otlp-endpoint", collector.url, "--otlp-sampling", "0.5")
    told = [ask(server) for _ in range(100)]
    sampled = {text.split("-")[2] for text in told if text}
    assert 10 < len(sampled) < 90
    assert server.stop() == 0
    assert {span.span for span in collector.spans} == sampled


def test_an_upgrade_sends_the_spans_of_both_servers(serve: Serve, collector: Collector) -> None:
    server = serve(PAGE, "--otlp-endpoint", collector.url)
    old = ask(server)
    server.send(signal.SIGUSR2)
    assert server.wait() == 0
    new = ask(server)
    arrived(collector, old)
    arrived(collector, new)


def test_a_reload_goes_on_with_the_same_exporter(serve: Serve, collector: Collector) -> None:
    server = serve(PAGE, "--preload", "--otlp-endpoint", collector.url)
    exporter = exporter_of(server)
    arrived(collector, ask(server))
    server.send(signal.SIGHUP)
    server.log.wait_for("reloaded in")
    arrived(collector, ask(server))
    assert exporter == exporter_of(server)


def test_nothing_of_it_is_there_unasked(serve: Serve, collector: Collector) -> None:
    server = serve(PAGE, env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url})
    assert exporter_of(server) is None
    assert ask(server) == ""


def test_what_is_wrong_in_the_environment_is_named() -> None:
    server = Server(PAGE, "--bind", "127.0.0.1:0", "--otlp", env={"OTEL_TRACES_SAMPLER": "xray"})
    try:
        assert server.wait() == 1
        server.log.wait_for("OTEL_TRACES_SAMPLER is xray")
    finally:
        server.close()
