"""What is measured: which application, by how many threads, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable

from bench.contenders import CONTENDERS, THREADED
from bench.measurements.fixed_rate import FixedRate
from bench.measurements.idle import Wakeups
from bench.measurements.memory import Connections, Idle
from bench.measurements.start import Start
from bench.measurements.syscalls import Syscalls
from bench.measurements.throughput import Throughput
from bench.wrk import Wrk

if TYPE_CHECKING:
    from bench.results import Round
    from bench.serving import Job

#: Every server of applications, without and with the floor, which can only answer hello.
SERVERS = tuple(name for name in CONTENDERS if name not in ("floor", "nginx"))
ALL = (*SERVERS, "floor")
#: What files are served by, and requests passed.
FRONTS = ("tapster", "nginx")
#: Those that can have several requests in the application.
POOLS = tuple(name for name in SERVERS if CONTENDERS[name].room(2) == THREADED)


@dataclass(frozen=True)
class Scenario:
    """One question."""

    title: str
    app: str
    threads: int
    measure: Callable[[Job], Round]
    contenders: tuple[str, ...] = SERVERS
    #: The figures do not depend on what else the machine does: more rounds would only take time.
    most_rounds: int = 1000


_SLOW = Wrk(8, "/slow")
_UPLOAD = 'wrk.method = "POST"; wrk.body = string.rep("x", 65536)'

SCENARIOS: dict[str, Scenario] = {
    "hello": Scenario("hello world, one thread", "hello", 1, Throughput(Wrk(64)), ALL),
    "hello-threads": Scenario("hello world, 32 threads", "hello", 32, Throughput(Wrk(64)), ALL),
    "close": Scenario(
        "hello world, a connection per request",
        "hello",
        1,
        Throughput(Wrk(64, fields=("Connection: close",))),
    ),
    "flask": Scenario("Flask, 4 threads", "flask_app", 4, Throughput(Wrk(64))),
    "sleep10ms": Scenario("an application that waits 10 ms, 64 threads", "sleepy", 64, Throughput(Wrk(64))),
    "upload64k": Scenario("64 KiB up and down, one thread", "echo", 1, Throughput(Wrk(16, script=_UPLOAD))),
    "download1m": Scenario("1 MiB down, one thread", "big", 1, Throughput(Wrk(16))),
    "mixed": Scenario(
        "fast requests beside 8 that wait 100 ms, 16 threads",
        "mixed",
        16,
        Throughput(Wrk(48), beside=_SLOW),
    ),
    "mixed-rate": Scenario(
        "20,000 fast requests a second beside 8 that wait 100 ms, 16 threads",
        "mixed",
        16,
        # A connection for each thread: uWSGI keeps a thread for every connection, and would starve the others.
        FixedRate(20_000, 8, beside=_SLOW),
        POOLS,
    ),
    "uwsgi-nginx": Scenario(
        "hello world behind nginx, by the uwsgi protocol, one thread",
        "hello",
        1,
        Throughput(Wrk(64), behind_nginx=True),
        ("tapster", "uwsgi"),
    ),
    "static1k": Scenario(
        "a file of 1 KiB by the front", "", 1, Throughput(Wrk(64, "/files/1k"), as_front=True), FRONTS
    ),
    "static16k": Scenario(
        "a file of 16 KiB by the front", "", 1, Throughput(Wrk(64, "/files/16k"), as_front=True), FRONTS
    ),
    "static10m": Scenario(
        "a file of 10 MiB by the front", "", 1, Throughput(Wrk(8, "/files/10m"), as_front=True), FRONTS
    ),
    "proxy": Scenario(
        "passed to two backends by HTTP/1.1", "", 1, Throughput(Wrk(64), as_front=True), FRONTS
    ),
    "cache": Scenario(
        "an answer from the front's cache",
        "",
        1,
        Throughput(Wrk(64), as_front=True, cached=True),
        FRONTS,
    ),
    "memory": Scenario("one worker, idle after one request", "hello", 1, Idle(), most_rounds=3),
    "connections": Scenario(
        "10,000 idle keep-alive connections", "hello", 1, Connections(10_000), most_rounds=2
    ),
    "start": Scenario("hello world, from the command to the first answer", "hello", 1, Start()),
    "syscalls": Scenario(
        "10,000 hello worlds on 64 connections, 32 threads", "hello", 32, Syscalls(10_000, 64), most_rounds=3
    ),
    "idle": Scenario("nothing to do for 10 seconds, 4 threads", "hello", 4, Wakeups(10), most_rounds=2),
}
