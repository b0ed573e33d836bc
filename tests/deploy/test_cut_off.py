"""A host is cut off, and nothing says so. Clients are served by the other one, and by both when it is back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.deploy.conftest import long_but_for
from tests.deploy.network import SERVING

if TYPE_CHECKING:
    from tests.deploy.site import Site


@long_but_for("haproxy-http")
def test_clients_are_served_meanwhile_and_the_host_comes_back(site: Site) -> None:
    one, two = site.network.serving
    site.network.cut_off(two)
    try:
        answers = [site.get("/host") for _ in range(60)]
        assert {(answer.status, answer.body.decode()) for answer in answers} == {(200, one.name)}
    finally:
        site.network.bring_back(two)
    site.wait_for(set(SERVING), timeout=60.0)
