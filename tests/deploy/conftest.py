"""Fixtures: the network, and a site for each proxy. The tests run on the client's host."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.deploy.network import Network
from tests.deploy.proxies import KINDS
from tests.deploy.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterator


def long_but_for(*quick: str) -> pytest.MarkDecorator:
    """With every proxy, and with most of them only in `make test-long`."""
    kinds = [pytest.param(name, marks=() if name in quick else pytest.mark.long) for name in KINDS]
    return pytest.mark.parametrize("proxy_name", kinds, indirect=True)


@pytest.fixture(scope="package")
def network() -> Iterator[Network]:
    """All hosts."""
    made = Network()
    yield made
    made.close()


@pytest.fixture(scope="package", params=KINDS)
def proxy_name(request: pytest.FixtureRequest) -> str:
    """Which configuration."""
    return str(request.param)


@pytest.fixture(scope="package")
def started_site(
    network: Network, proxy_name: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The proxy and two Tapsters, all serving."""
    with Site(network, proxy_name, tmp_path_factory.mktemp("site")) as started:
        yield started


@pytest.fixture
def site(started_site: Site) -> Iterator[Site]:
    """The same, and the test's thread is on the client's host."""
    with started_site.network.client.inside():
        yield started_site
