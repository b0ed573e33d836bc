"""`opentelemetry-instrument`, `ddtrace-run` and `newrelic-admin run-program` in front of the command."""

from __future__ import annotations

import os
import secrets
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Callable

import pytest

from tests.server import Server, wait_gone
from tests.tracing.collector import Collector, Span
from tests.wire import Response, exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator

Variables = Callable[[Collector], "dict[str, str]"]

APP = "traced:app"
ARRANGEMENTS = [
    pytest.param(("--workers", "2"), id="lazy-2"),
    pytest.param(("--workers", "2", "--preload"), id="preload-2"),
    pytest.param(("--workers", "1"), id="lazy-1", marks=pytest.mark.long),
    pytest.param(("--workers", "1", "--preload", "--threads", "1"), id="preload-1", marks=pytest.mark.long),
]


def tool(name: str) -> str:
    """A command of the environment that runs the tests."""
    return str(Path(sys.executable).with_name(name))


def open_telemetry(collector: Collector) -> dict[str, str]:
    """Variables for OpenTelemetry's SDK; nothing but what its documentation asks for."""
    return {
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_SEMCONV_STABILITY_OPT_IN": "http",
        "OTEL_METRIC_EXPORT_INTERVAL": "300",
        "OTEL_BSP_SCHEDULE_DELAY": "300",
    }


def datadog(collector: Collector) -> dict[str, str]:
    """Variables for ddtrace; telemetry and remote configuration stay on, as they are by default."""
    return {
        "DD_TRACE_AGENT_URL": collector.url,
        "DD_TRACE_API_VERSION": "v0.4",
        "DD_TRACE_STARTUP_LOGS": "false",
    }


WRAPPERS = [
    pytest.param("opentelemetry-instrument", open_telemetry, "http.response.status_code", id="opentelemetry"),
    pytest.param("ddtrace-run", datadog, "http.status_code", id="ddtrace"),
]


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Stopped after the server that the test starts."""
    with Collector() as started:
        yield started


class Traced:
    """Requests with a trace of their own each, and the spans that came of them."""

    def __init__(self, server: Server, collector: Collector, status: str) -> None:
        self.server, self.collector, self.status = server, collector, status

    def ask(self, target: str = "/") -> tuple[str, str, Response]:
        """The trace, the span of the caller, the answer."""
        trace, parent = secrets.token_hex(16), secrets.token_hex(8)
        fields = {"traceparent": f"00-{trace}-{parent}-01"}
        return trace, parent, exchange(self.server.address, http_request(target=target, fields=fields))

    def expect(self, target: str, status: int, count: int = 1) -> None:
        """Asks so often, and waits for the span of each request, which is the child of the caller's."""
        asked = [self.ask(target) for _ in range(count)]
        assert {answer.status for _, _, answer in asked} == {status}
        for trace, parent, _ in asked:
            self.arrived(trace, parent, target, status)

    def arrived(self, trace: str, parent: str, target: str, status: int) -> Span:
        """Waits for the span of one request."""

        def found() -> list[Span]:
            spans = self.collector.of_trace(trace, f"GET {target}")
            return [span for span in spans if span.parent == parent]

        self.collector.wait(lambda: bool(found()), f"no span of {target}")
        assert int(found()[0].attributes[self.status]) == status
        return found()[0]


@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
@pytest.mark.parametrize(("wrapper", "variables", "status"), WRAPPERS)
def test_each_request_has_its_span(
    collector: Collector, wrapper: str, variables: Variables, status: str, arrangement: tuple[str, ...]
) -> None:
    with Server.start(APP, *arrangement, env=variables(collector), wrapper=[tool(wrapper)]) as server:
        traced = Traced(server, collector, status)
        traced.expect("/", 200, count=6)
        traced.expect("/missing", 404)
        first = server.worker_pids()
        server.reload()
        assert not set(first) & set(server.worker_pids())
        traced.expect("/", 200, count=3)
        # What is not sent yet goes when the worker ends.
        trace, parent, answer = traced.ask()
        assert answer.status == 200
        assert server.stop() == 0
        traced.arrived(trace, parent, "/", 200)
        assert not server.log.find(r"native threads|\[error\]"), server.log.text()


def test_an_upgraded_server_is_instrumented_as_before(collector: Collector) -> None:
    env = open_telemetry(collector)
    options = ("--env", "OTEL_SERVICE_NAME=shop")
    with Server.start(APP, *options, env=env, wrapper=[tool("opentelemetry-instrument")]) as server:
        traced = Traced(server, collector, "http.response.status_code")
        server.send(signal.SIGUSR2)
        assert server.wait() == 0
        trace, parent, answer = traced.ask()
        assert answer.status == 200
        span = traced.arrived(trace, parent, "/", 200)
        assert span.resource["service.name"] == "shop"


def test_the_supervisor_is_not_instrumented(collector: Collector) -> None:
    wrapper = [tool("opentelemetry-instrument")]
    with Server.start(APP, env=open_telemetry(collector), wrapper=wrapper) as server:
        assert len(os.listdir(f"/proc/{server.pid}/task")) == 1
        assert b"opentelemetry" not in Path(f"/proc/{server.pid}/maps").read_bytes()


@pytest.mark.parametrize("arrangement", ARRANGEMENTS[1:2])
def test_a_stop_signal_to_all_processes_ends_workers_in_order(
    collector: Collector, arrangement: tuple[str, ...]
) -> None:
    # ddtrace has a handler that ends its process at once.
    with Server.start(APP, *arrangement, env=datadog(collector), wrapper=[tool("ddtrace-run")]) as server:
        worker = int(Traced(server, collector, "http.status_code").ask()[2].body)
        os.kill(worker, signal.SIGTERM)
        wait_gone([worker], 20)
        server.log.wait_for(rf"pid {worker}\) exited with code 0")


@pytest.mark.parametrize("arrangement", ARRANGEMENTS[1:3])
def test_new_relic_records_each_request(arrangement: tuple[str, ...]) -> None:
    env = {"NEW_RELIC_DEVELOPER_MODE": "true", "NEW_RELIC_APP_NAME": "tests", "NEW_RELIC_LOG": "stderr"}
    wrapper = [tool("newrelic-admin"), "run-program"]
    with Server.start(APP, *arrangement, env=env, wrapper=wrapper) as server:
        _wait_recorded(server)
        server.reload()
        _wait_recorded(server)
        assert server.stop() == 0
        assert server.log.find("New Relic Python Agent Shutdown")


def _wait_recorded(server: Server) -> None:
    """The agent is active some time after the first request, in each worker."""
    traced = Traced(server, Collector(), "")
    deadline = time.monotonic() + 30
    while (asked := traced.ask("/new-relic"))[2].body.decode() != asked[0]:
        assert time.monotonic() < deadline, asked
        time.sleep(0.02)
