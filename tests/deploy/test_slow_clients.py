"""Many clients that send a byte now and then, through each proxy: more than there are threads, and nobody else waits."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.crowd import Crowd

if TYPE_CHECKING:
    from tests.deploy.site import Site

#: Twice the threads of both hosts, whatever `--workers auto` makes of this machine, within reason.
SLOW = 128


def test_fast_clients_do_not_wait_for_slow_ones(site: Site) -> None:
    with Crowd("body", site.address, SLOW):
        began = time.monotonic()
        assert {site.get("/host", timeout=10.0).status for _ in range(40)} == {200}
        assert time.monotonic() - began < 30.0
