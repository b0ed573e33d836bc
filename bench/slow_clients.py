"""What a proxy is for, as a figure: fast clients beside 200 slow ones, and how many of the application's threads these leave.

    python -m bench.slow_clients [SETUP…]

A third of the slow clients send a head, a third a body, 10 bytes a second, and a third read a large answer as slowly; who is
cut off comes again. Meanwhile fast clients ask at a steady rate, and at the end as many requests as there are threads meet in
the application: those that met had a thread. The servers run on one core, all clients and nginx on the other.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import socket
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from bench import http_client
from bench.child import LOAD_CORE, SERVER_CORE, last_words, started
from bench.contenders import tapster

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

THREADS = 4
SLOW = 200
#: Seconds between the bytes of a slow client.
PAUSE = 0.1
#: Requests a second of the fast clients, and how many they are.
RATE, FAST = 400, 16
#: Seconds until all slow clients are there, and of the measurement: together less than the 10 s after which Tapster cuts off
#: who is too slow.
SETTLE, MEASURE = 3.0, 5.0
#: Seconds after which a fast client gives up.
PATIENCE = 5.0

APP = "crowded:app"


@dataclass(frozen=True)
class Figures:
    """What one set-up showed."""

    free: int
    right: int
    failed: int
    p50: float
    p99: float

    def row(self, name: str) -> str:
        """As a row of a table in Markdown."""
        times = f"{self.p50 * 1000:.1f} ms | {self.p99 * 1000:.1f} ms"
        return f"| {name} | {self.free} of {THREADS} | {self.right} | {self.failed} | {times} |"


@contextmanager
def running(commands: Sequence[tuple[str, Sequence[str]]], folder: Path, port: int) -> Generator[None]:
    """Processes, each on its core, once the last one answers."""
    with ExitStack() as stack:
        child = None
        for number, (core, command) in enumerate(commands):
            log = folder / f"{number}.log"
            child = stack.enter_context(started(command, core, log))
        assert child is not None
        try:
            http_client.wait_for_answer(port, child)
        except Exception as error:
            raise SystemExit(f"{error}: {last_words(folder / f'{len(commands) - 1}.log')}") from None
        yield


def uwsgi() -> list[str]:
    """uWSGI: UWSGI, or what is on the path."""
    found = os.environ.get("UWSGI") or shutil.which("uwsgi_python3") or shutil.which("uwsgi")
    return [found or sys.exit("no uWSGI: install uwsgi-plugin-python3, or say where in UWSGI")]


def uwsgi_on(*place: str) -> list[str]:
    """uWSGI with the application."""
    options = ["--master", "--need-app", "--die-on-term", "--disable-logging", "--enable-threads"]
    return [*uwsgi(), *place, "--module", APP, *options, "--threads", str(THREADS), "--listen", "100"]


def tapster_direct(port: int, folder: Path) -> list[tuple[str, list[str]]]:
    """Tapster, which the clients come to."""
    return [(SERVER_CORE, [*tapster(), APP, "--threads", str(THREADS), "--bind", f"127.0.0.1:{port}"])]


def tapster_front(port: int, folder: Path) -> list[tuple[str, list[str]]]:
    """The same with a front before it."""
    ((core, command),) = tapster_direct(port, folder)
    return [(core, [*command, "--static", f"/static/={folder}"])]


def front_and_uwsgi(port: int, folder: Path) -> list[tuple[str, list[str]]]:
    """`tapster front` before uWSGI."""
    path = folder / "app.sock"
    front = [*tapster(), "front", "--upstream", f"uwsgi:unix:{path} slots={THREADS}"]
    return [
        (SERVER_CORE, uwsgi_on("--socket", str(path))),
        (LOAD_CORE, [*front, "--bind", f"127.0.0.1:{port}"]),
    ]


def uwsgi_alone(port: int, folder: Path) -> list[tuple[str, list[str]]]:
    """uWSGI, which the clients come to."""
    return [(SERVER_CORE, uwsgi_on("--http-socket", f"127.0.0.1:{port}"))]


def nginx_and_uwsgi(port: int, folder: Path) -> list[tuple[str, list[str]]]:
    """nginx before uWSGI, as it buffers by default."""
    path, configuration = folder / "app.sock", folder / "nginx.conf"
    configuration.write_text(
        f"""
daemon off; worker_processes 1; error_log stderr crit; pid {folder}/pid; {"user root;" if os.geteuid() == 0 else ""}
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; uwsgi_temp_path {folder}/uwsgi;
    fastcgi_temp_path {folder}/fastcgi; scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port}; location / {{ include /etc/nginx/uwsgi_params; uwsgi_pass unix:{path}; }} }}
}}
"""
    )
    nginx = ["nginx", "-e", "stderr", "-c", str(configuration)]
    return [(SERVER_CORE, uwsgi_on("--socket", str(path))), (LOAD_CORE, nginx)]


SETUPS: dict[str, Callable[[int, Path], list[tuple[str, list[str]]]]] = {
    "tapster": tapster_direct,
    "tapster-front": tapster_front,
    "tapster-front+uwsgi": front_and_uwsgi,
    "nginx+uwsgi": nginx_and_uwsgi,
    "uwsgi": uwsgi_alone,
}


async def trickle(port: int, start: bytes, rest: bytes) -> None:
    """Sends the start at once and the rest byte by byte; comes again when it was cut off."""
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(start)
            for place in range(len(rest)):
                writer.write(rest[place : place + 1])
                await writer.drain()
                await asyncio.sleep(PAUSE)
                if reader.at_eof():
                    break
            writer.close()
        await asyncio.sleep(PAUSE)


async def sip(port: int) -> None:
    """Reads a large answer byte by byte."""
    loop = asyncio.get_running_loop()
    while True:
        with suppress(OSError), socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.setblocking(False)
            await loop.sock_connect(connection, ("127.0.0.1", port))
            await loop.sock_sendall(connection, b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
            while await loop.sock_recv(connection, 1):
                await asyncio.sleep(PAUSE)
        await asyncio.sleep(PAUSE)


def slow_clients(port: int) -> list[asyncio.Task[None]]:
    """All of them."""
    head = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
    body = b"POST /length HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\n\r\n"
    kinds = [
        lambda: trickle(port, head, b"x" * 10000),
        lambda: trickle(port, body, b"x" * 10000),
        lambda: sip(port),
    ]
    return [asyncio.create_task(kinds[number % len(kinds)]()) for number in range(SLOW)]


async def ask(port: int, path: str) -> bytes:
    """The body of an answer on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        answer = await reader.read()
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head[:16]:
        raise OSError(f"answered with {head[:40]!r}")
    return body


async def fast_client(port: int, until: float, times: list[float], failures: list[str]) -> None:
    """Asks at its share of the rate; what waits counts from when it was due."""
    pause, due = FAST / RATE, time.monotonic()
    while due < until:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        try:
            await asyncio.wait_for(ask(port, "/"), PATIENCE)
            times.append(time.monotonic() - due)
        except (OSError, asyncio.TimeoutError) as error:
            failures.append(repr(error))
        due = max(due + pause, time.monotonic() - PATIENCE)


async def meet(port: int) -> int:
    """How many of as many requests as there are threads were in the application at once."""
    asked = [asyncio.wait_for(ask(port, "/meet"), PATIENCE) for _ in range(THREADS)]
    met = await asyncio.gather(*asked, return_exceptions=True)
    return max((int(one) for one in met if isinstance(one, bytes)), default=0)


async def measure(port: int) -> Figures:
    """With the server running."""
    slow = slow_clients(port)
    try:
        await asyncio.sleep(SETTLE)
        times: list[float] = []
        failures: list[str] = []
        until = time.monotonic() + MEASURE
        await asyncio.gather(*(fast_client(port, until, times, failures) for _ in range(FAST)))
        free = await meet(port)
    finally:
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
    # Who got no answer waited as long as anybody would.
    waited = sorted([*times, *[PATIENCE] * len(failures)])
    cuts = statistics.quantiles(waited, n=100) if len(waited) > 1 else [PATIENCE] * 99
    return Figures(free, len(times), len(failures), cuts[49], cuts[98])


def main() -> None:
    """Measures, and prints a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.slow_clients", description=__doc__)
    parser.add_argument("setups", nargs="*", metavar="SETUP", help=f"of {', '.join(SETUPS)}; default: all")
    names = parser.parse_args().setups or list(SETUPS)
    os.sched_setaffinity(0, {int(LOAD_CORE)})
    print(f"| beside {SLOW} slow clients | threads free | answered | failed | p50 | p99 |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in names:
        port = http_client.free_port()
        with tempfile.TemporaryDirectory() as folder:
            commands = SETUPS[name](port, Path(folder))
            with running(commands, Path(folder), port):
                print(asyncio.run(measure(port)).row(name), flush=True)


if __name__ == "__main__":
    main()
