"""What the functions of a gunicorn.conf.py are given: a server and a worker that have what real ones use of gunicorn's."""

from __future__ import annotations

import os
from typing import Any, Callable

Write = Callable[[str, str], None]
"""Takes a level and a text to the server's log."""


class Log:
    """`server.log` and `worker.log`: the log of the server, with the methods of gunicorn's."""

    def __init__(self, write: Write) -> None:
        self._write = write

    def _log(self, level: str, message: object, arguments: tuple[Any, ...]) -> None:
        text = str(message)
        if arguments:
            text %= arguments[0] if len(arguments) == 1 and isinstance(arguments[0], dict) else arguments
        self._write(level, text)

    def debug(self, message: object, *arguments: Any, **_more: Any) -> None:
        """Log this at the level debug."""
        self._log("debug", message, arguments)

    def info(self, message: object, *arguments: Any, **_more: Any) -> None:
        """Log this at the level info."""
        self._log("info", message, arguments)

    def warning(self, message: object, *arguments: Any, **_more: Any) -> None:
        """Log this at the level warning."""
        self._log("warning", message, arguments)

    def error(self, message: object, *arguments: Any, **_more: Any) -> None:
        """Log this at the level error."""
        self._log("error", message, arguments)

    def exception(self, message: object, *arguments: Any, **_more: Any) -> None:
        """Log this at the level error, with the traceback of what is being handled."""
        import traceback

        self._log("error", message, arguments)
        self._write("error", traceback.format_exc().rstrip())

    def log(self, level: int, message: object, *arguments: Any, **_more: Any) -> None:
        """Log this at a level of `logging`."""
        names = [(40, "error"), (30, "warning"), (20, "info"), (0, "debug")]
        self._log(next(name for least, name in names if level >= least), message, arguments)

    warn = warning
    critical = error


class Config:
    """`server.cfg`: every setting of gunicorn as an attribute, with the value that holds."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings

    def __getattr__(self, name: str) -> Any:
        """The value of the setting of this name."""
        if name == "settings" or name not in self.settings:
            raise AttributeError(f"gunicorn has no setting {name}")
        return self.settings[name]

    @property
    def address(self) -> list[Any]:
        """Where it listens: pairs of a host and a port, or paths."""
        binds: list[str] = self.settings.get("bind") or []
        return [_address(bind) for bind in binds]

    @property
    def env(self) -> dict[str, str]:
        """The variables of `raw_env`."""
        pairs: list[str] = self.settings.get("raw_env") or []
        return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}

    @property
    def is_ssl(self) -> bool:
        """Whether clients speak TLS."""
        return bool(self.settings.get("certfile") or self.settings.get("keyfile"))


def _address(bind: str) -> Any:
    if bind.startswith("unix:"):
        return bind[5:]
    host, _, port = bind.rpartition(":")
    return (host.strip("[]"), int(port)) if port.isdigit() else (bind, 8000)


class Worker:
    """A worker: `pid` is `[booting]` until it is one."""

    def __init__(self, age: int, cfg: Config, log: Log, pid: int | str = "[booting]") -> None:
        self.age = age
        self.cfg = cfg
        self.log = log
        self.pid = pid
        self.ppid = os.getpid()
        self.nr = 0
        self.alive = True
        self.booted = False
        self.aborted = False
        self.timeout: int = cfg.settings.get("timeout") or 0
        self.sockets: list[Any] = []

    def __str__(self) -> str:
        """Which one it is."""
        return f"<Worker {self.pid}>"


class Server:
    """gunicorn calls it the arbiter."""

    def __init__(self, cfg: Config, log: Log) -> None:
        self.cfg = cfg
        self.log = log
        self.pid = os.getpid()
        self.master_pid = 0
        self.proc_name: str = (
            cfg.settings.get("proc_name") or cfg.settings.get("default_proc_name") or "tapster"
        )
        self.num_workers: int = cfg.settings.get("workers") or 1
        self.worker_age = 0
        self.WORKERS: dict[int, Worker] = {}
        self.LISTENERS: list[Any] = []

    @property
    def address(self) -> list[Any]:
        """Where it listens: pairs of a host and a port, or paths."""
        return self.cfg.address
