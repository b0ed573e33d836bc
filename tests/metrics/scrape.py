"""Reads `/-/metrics` as Prometheus does: through the parsers of its own client library."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from prometheus_client import parser as prometheus
from prometheus_client.openmetrics import parser as openmetrics

from tests.address import Address, addresses_in
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client.metrics_core import Metric

    from tests.server import Server

ADMIN = ("--admin-bind", "127.0.0.1:0")
OPENMETRICS = "application/openmetrics-text;version=1.0.0"


def admin_of(server: Server) -> Address:
    """Where its metrics are."""
    return addresses_in(server.log.wait_for(r"health checks at .*").group())[0]


class Scrape:
    """All metrics of one moment."""

    def __init__(self, admin: Address, accept: str = "") -> None:
        fields = {"Accept": accept} if accept else {}
        response = exchange(admin, http_request(target="/-/metrics", fields=fields))
        assert response.status == 200
        self.content_type = response.get("content-type")
        self.text = response.body.decode()
        # Its types are incomplete.
        parser = cast("Any", openmetrics if accept else prometheus)
        found: Iterable[Metric] = parser.text_string_to_metric_families(self.text)
        self.families = {family.name: family for family in found}

    def sum(self, sample: str, **labels: str) -> float:
        """The sum of all samples of this name that have these labels."""
        return sum(
            found.value
            for family in self.families.values()
            for found in family.samples
            if found.name == sample and labels.items() <= found.labels.items()
        )


def wait_for(server: Server, is_so: Callable[[Scrape], bool], timeout: float = 40.0) -> Scrape:
    """Waits for metrics that are as they should be."""
    admin = admin_of(server)
    deadline = time.monotonic() + timeout
    while not is_so(scrape := Scrape(admin)):
        assert time.monotonic() < deadline, scrape.text
        time.sleep(0.02)
    return scrape


def wait_for_requests(server: Server, count: int) -> Scrape:
    """Waits until this many requests were counted: an answer arrives a moment before it is."""
    return wait_for(server, lambda scrape: scrape.sum("tapster_requests_total") >= count)
