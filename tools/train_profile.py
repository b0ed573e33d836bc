"""Serves typical traffic with an instrumented build, so that the compiler learns which paths are hot.

Run by `make profile` with the interpreter that has that build and Flask, as `train_profile.py FOLDER`: reads FOLDER/raw,
where the build leaves its counters, and writes FOLDER/tapster.profdata for `-Cprofile-use`.
"""

from __future__ import annotations

import re
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

REPOSITORY = Path(__file__).resolve().parents[1]
#: Seconds that a server may take to start or to stop.
PATIENCE = 30.0
#: What the profile must count at the least, in the function that is called most: less is a build that was not trained.
ENOUGH = 10_000

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nUser-Agent: training\r\n\r\n"
BROWSER = (
    b"GET /items/7?page=2&sort=name HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"
    b"Accept: text/html,application/xhtml+xml\r\nAccept-Language: en-GB,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\n"
    b"Cookie: session=0123456789abcdef0123456789abcdef\r\nUpgrade-Insecure-Requests: 1\r\nConnection: keep-alive\r\n\r\n"
)
CLOSING = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
UPLOAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 65536\r\n\r\n" + b"x" * 65536


def uwsgi_packet() -> bytes:
    """A request as nginx sends it with its stock uwsgi_params."""
    variables = {
        "QUERY_STRING": "",
        "REQUEST_METHOD": "GET",
        "CONTENT_TYPE": "",
        "CONTENT_LENGTH": "",
        "REQUEST_URI": "/",
        "PATH_INFO": "/",
        "DOCUMENT_ROOT": "/usr/share/nginx/html",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REQUEST_SCHEME": "http",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "40000",
        "SERVER_PORT": "80",
        "SERVER_NAME": "localhost",
        "HTTP_HOST": "localhost",
        "HTTP_USER_AGENT": "training",
        "HTTP_ACCEPT": "*/*",
    }
    block = b"".join(
        struct.pack("<H", len(text)) + text.encode() for pair in variables.items() for text in pair
    )
    return struct.pack("<BHB", 0, len(block), 0) + block


@dataclass(frozen=True)
class Lesson:
    """One kind of traffic."""

    app: str
    threads: int
    requests: Sequence[bytes]
    clients: int = 32
    seconds: float = 2.0
    #: What else the server is asked for; `{folder}` is a directory for its files.
    options: Sequence[str] = ()


#: Access log, ids and metrics are off by default, and on in most places where it matters.
OBSERVED = (
    *("--access-log", "{folder}/access.log"),
    *("--request-id", "on", "--admin-bind", "127.0.0.1:0"),
)

LESSONS = (
    Lesson("hello", 1, [GET, BROWSER]),
    Lesson("hello", 32, [GET, BROWSER]),
    Lesson("hello", 1, [GET, BROWSER], options=OBSERVED),
    Lesson("hello", 4, [GET, BROWSER], seconds=1.0, options=[*OBSERVED, "--access-log-format", "json"]),
    Lesson("hello", 1, [CLOSING]),
    Lesson("hello", 1, [uwsgi_packet()]),
    Lesson("flask_app", 4, [GET, BROWSER], seconds=3.0),
    Lesson("sleepy", 32, [GET]),
    Lesson("echo", 1, [UPLOAD], clients=8),
    Lesson("big", 1, [GET], clients=8, seconds=1.0),
)


class Client:
    """Asks, reads the whole answer, asks again; on a new connection where the server ended the last."""

    def __init__(self, port: int, request: bytes, selector: selectors.BaseSelector) -> None:
        self.port = port
        self.request = request
        self.selector = selector
        self.answered = 0
        self.connect()

    def connect(self) -> None:
        """Opens a connection and asks."""
        self.socket = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        self.selector.register(self.socket, selectors.EVENT_READ, self)
        self.ask()

    def ask(self) -> None:
        """Sends the request; the server reads all of it before it answers."""
        self.left: int | None = None
        self.head = b""
        self.socket.sendall(self.request)

    def read(self) -> None:
        """Takes what is there; the end of an answer or of the connection is the start of the next."""
        data = self.socket.recv(1 << 18)
        if not data:
            self.answered += 1
            self.selector.unregister(self.socket)
            self.socket.close()
            self.connect()
            return
        if self.left is None:
            self.head += data
            end = self.head.find(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", self.head[: max(end, 0)])
            if end < 0 or length is None:
                return
            self.left = int(length[1]) + end + 4 - len(self.head)
        else:
            self.left -= len(data)
        is_kept = self.request.endswith(b"\r\n\r\n") or self.request is UPLOAD
        if self.left <= 0 and is_kept and self.request is not CLOSING:
            self.answered += 1
            self.ask()


def main(folder: Path) -> None:
    """All lessons, then the profile; exits with a message when it cannot be made."""
    tool = merge_tool()
    for lesson in LESSONS:
        answered = teach(lesson, folder)
        print(f"{lesson.app}, {lesson.threads} thread(s): {answered} requests")
    profile = folder / "tapster.profdata"
    raw = sorted(str(path) for path in (folder / "raw").glob("*.profraw"))
    subprocess.run([tool, "merge", "-o", str(profile), *raw], check=True)
    shown = subprocess.run([tool, "show", str(profile)], check=True, stdout=subprocess.PIPE, text=True).stdout
    most = re.search(r"Maximum function count: (\d+)", shown)
    if most is None or int(most[1]) < ENOUGH:
        profile.unlink()
        sys.exit(f"the workers' counters are not in the profile:\n{shown}")


def teach(lesson: Lesson, folder: Path) -> int:
    """Serves one kind of traffic with one worker; gives the number of answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "tapster", f"{lesson.app}:app", "--bind", f"127.0.0.1:{port}"]
    command += ["--workers", "1", "--threads", str(lesson.threads), "--log-level", "error"]
    command += [option.format(folder=folder) for option in lesson.options]
    server = subprocess.Popen(command, cwd=REPOSITORY / "bench" / "apps")
    try:
        await_port(port, server)
        return load(lesson, port)
    finally:
        server.send_signal(signal.SIGTERM)
        if server.wait(PATIENCE) != 0:
            sys.exit(f"{' '.join(command)} ended with {server.returncode}")


def load(lesson: Lesson, port: int) -> int:
    """Keeps the clients busy for as long as the lesson takes."""
    with selectors.DefaultSelector() as selector:
        clients = [
            Client(port, lesson.requests[number % len(lesson.requests)], selector)
            for number in range(lesson.clients)
        ]
        until = time.monotonic() + lesson.seconds
        while time.monotonic() < until:
            for key, _ in selector.select(1.0):
                client = key.data
                assert isinstance(client, Client)
                client.read()
        for client in clients:
            client.socket.close()
    return sum(client.answered for client in clients)


def await_port(port: int, server: subprocess.Popen[bytes]) -> None:
    """Waits until somebody listens."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            if server.poll() is not None or time.monotonic() > until:
                sys.exit("the instrumented server did not start")
            time.sleep(0.05)
        else:
            return


def merge_tool() -> str:
    """llvm-profdata: the compiler's own, or one of an LLVM that reads its profiles."""
    rustc = subprocess.run(["rustc", "-vV"], check=True, stdout=subprocess.PIPE, text=True).stdout
    host, llvm = re.search(r"host: (\S+)", rustc), re.search(r"LLVM version: (\d+)", rustc)
    sysroot = subprocess.run(
        ["rustc", "--print", "sysroot"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()
    newest = int(llvm[1]) if llvm else 19
    names = [f"{sysroot}/lib/rustlib/{host[1] if host else ''}/bin/llvm-profdata"]
    names += [f"llvm-profdata-{version}" for version in range(newest, 18, -1)]
    for name in names:
        if found := shutil.which(name):
            return found
    sys.exit(
        "no llvm-profdata for this compiler: `rustup component add llvm-tools`, or install "
        f"llvm-{newest}; or build without a profile: make … PROFILE="
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
