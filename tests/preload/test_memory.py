"""--max-rss with --preload: what workers share with their template is not theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.preload.conftest import wait_until, workers_of
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from tests.conftest import Serve
    from tests.preload.conftest import Code

#: More than the bound, in the template.
SHARED = 150 << 20
BOUND = "100M"


def test_shared_memory_does_not_count_and_own_memory_does(serve: Serve, code: Code) -> None:
    code.write(f"shared = bytearray(b'x' * {SHARED})\nleak = []")
    server = serve("preloaded:app", "--preload", "--max-rss", BOUND, cwd=code.directory)
    assert not server.log.find("--max-rss is too low")
    (old,) = workers_of(server)
    leak = "/eval?leak.append(bytearray(b'x'*(120<<20)))"
    assert exchange(server.address, http_request(target=leak)).status == 200
    wait_until(lambda: old not in workers_of(server), "the worker is replaced", 20.0)
    server.log.wait_for(r"uses 1\d\d MiB of memory of its own, more than 100 MiB")
