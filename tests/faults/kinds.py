"""The servers that faults are played to: how each is started for its best, and what it can do at all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from tests.server import READY, REPOSITORY, command

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What a server has to have before a fault can be played to it.
WORKERS, RELOAD, UNIX, RECYCLING, RSS, REQUEST_TIMEOUT, PRELOAD, ACCESS_LOG, LOG_FILE, USER, BOOT_TIMEOUT = (
    "several workers",
    "reload by HUP",
    "unix sockets",
    "recycling by number of requests",
    "recycling by memory",
    "a time-out of requests",
    "preloading",
    "an access log",
    "a log file that USR1 opens anew",
    "a change of user",
    "a time-out of loading",
)
#: What only ours promises, or can be asked about from outside.
OURS = "ours alone"


@dataclass(frozen=True)
class Wish:
    """How a server is to be started. Times are seconds; none is the server's own default."""

    port: int = 0
    unix: str = ""
    workers: int = 2
    threads: int = 4
    graceful: int = 5
    boot_timeout: int | None = None
    max_requests: int | None = None
    max_rss_mib: int | None = None
    request_timeout: int | None = None
    preload: bool = False
    access_log: bool = False
    log_file: str = ""
    user: str = ""
    #: Further arguments, for ours alone.
    more: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """As most command lines take it."""
        return f"unix:{self.unix}" if self.unix else f"127.0.0.1:{self.port}"


@dataclass(frozen=True)
class Kind:
    """One server."""

    name: str
    command: Callable[[Wish], Sequence[str]]
    features: frozenset[str]
    #: What its log says when all workers serve, where it says so.
    ready: str = ""

    def missing(self) -> str:
        """Why it cannot be started here; empty if it can."""
        program = Path(self.command(Wish(port=1))[0])
        return "" if program.exists() else f"{program} is missing: run `make peers`, or set PEERS"


def _bin(program: str) -> str:
    return str(Path(os.environ.get("PEERS", REPOSITORY / ".build" / "peers")) / "bin" / program)


def _given(flag: str, value: object) -> list[str]:
    return [] if value in (None, "", False) else [flag, str(value)]


def _tapster(wish: Wish) -> list[str]:
    return [
        *command(),
        "victim:application",
        *("--bind", wish.address, "--workers", str(wish.workers), "--threads", str(wish.threads)),
        *("--graceful-timeout", str(wish.graceful)),
        *_given("--boot-timeout", wish.boot_timeout),
        *_given("--max-requests", wish.max_requests),
        *(["--max-rss", f"{wish.max_rss_mib}MiB"] if wish.max_rss_mib else []),
        *_given("--request-timeout", wish.request_timeout),
        *(["--preload"] if wish.preload else []),
        *(["--access-log", "on"] if wish.access_log else []),
        *_given("--log-file", wish.log_file),
        *_given("--user", wish.user),
        *wish.more,
    ]


def _gunicorn(wish: Wish) -> list[str]:
    return [
        *(_bin("gunicorn"), "victim:application", "--worker-class", "gthread", "--bind", wish.address),
        *("--workers", str(wish.workers), "--threads", str(wish.threads), "--keep-alive", "75"),
        *("--graceful-timeout", str(wish.graceful)),
        *_given("--timeout", wish.request_timeout or wish.boot_timeout),
        *_given("--max-requests", wish.max_requests),
        *(["--preload"] if wish.preload else []),
        *(["--access-logfile", wish.log_file or "-"] if wish.access_log else []),
        *_given("--user", wish.user),
        *_given("--group", wish.user),
    ]


def _granian(wish: Wish) -> list[str]:
    place = ["--uds", wish.unix] if wish.unix else ["--host", "127.0.0.1", "--port", str(wish.port)]
    return [
        *(_bin("granian"), "--interface", "wsgi", "--no-ws", *place, "--respawn-failed-workers"),
        *("--workers", str(wish.workers), "--blocking-threads", str(wish.threads)),
        *("--workers-kill-timeout", str(wish.graceful)),
        *_given("--workers-max-rss", wish.max_rss_mib),
        *(["--access-log"] if wish.access_log else []),
        "victim:application",
    ]


def _uwsgi(wish: Wish) -> list[str]:
    return [
        # Not --http11-socket: each connection that it keeps holds a thread.
        *(_bin("uwsgi"), "--http-socket", wish.unix or wish.address, "--module", "victim:application"),
        *("--master", "--lazy-apps", "--need-app", "--die-on-term", "--no-orphans", "--enable-threads"),
        *("--listen", "1024", "--min-worker-lifetime", "1"),
        *("--workers", str(wish.workers), "--threads", str(wish.threads), "--vacuum"),
        *("--worker-reload-mercy", str(wish.graceful), "--reload-mercy", str(wish.graceful)),
        *_given("--max-requests", wish.max_requests),
        *_given("--reload-on-rss", wish.max_rss_mib),
        *_given("--harakiri", wish.request_timeout),
        # Each of these users has a group of the same name.
        *_given("--uid", wish.user),
        *_given("--gid", wish.user),
        *([] if wish.access_log else ["--disable-logging"]),
    ]


def _waitress(wish: Wish) -> list[str]:
    place = f"--unix-socket={wish.unix}" if wish.unix else f"--listen={wish.address}"
    return [_bin("waitress-serve"), place, f"--threads={wish.threads}", "victim:application"]


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "tapster",
            _tapster,
            frozenset(
                {
                    WORKERS,
                    RELOAD,
                    UNIX,
                    RECYCLING,
                    RSS,
                    REQUEST_TIMEOUT,
                    PRELOAD,
                    ACCESS_LOG,
                    LOG_FILE,
                    USER,
                    BOOT_TIMEOUT,
                    OURS,
                }
            ),
            READY,
        ),
        Kind(
            "gunicorn",
            _gunicorn,
            # Its --timeout is a worker's, not a request's; it bounds loading as well.
            frozenset({WORKERS, RELOAD, UNIX, RECYCLING, PRELOAD, ACCESS_LOG, LOG_FILE, USER, BOOT_TIMEOUT}),
        ),
        Kind("granian", _granian, frozenset({WORKERS, RELOAD, UNIX, RSS, ACCESS_LOG})),
        Kind(
            "uwsgi",
            _uwsgi,
            frozenset({WORKERS, RELOAD, UNIX, RECYCLING, RSS, REQUEST_TIMEOUT, ACCESS_LOG, USER}),
        ),
        Kind("waitress", _waitress, frozenset({UNIX})),
    )
}
