"""The functions of a gunicorn.conf.py, called where gunicorn would: in the supervisor, or in the worker it is about.

A worker is a fork of the supervisor, which has executed the file: so it has the functions too. Called by the native module.
"""

from __future__ import annotations

import json
import logging.config
import os
import signal
import sys
import traceback
from typing import TYPE_CHECKING, Any

from tapster import _lifecycle
from tapster._hooks import refuse_threads
from tapster.gunicorn import configuration
from tapster.gunicorn.standins import Config, Log, Server, Worker, Write

if TYPE_CHECKING:
    from types import FrameType

    from tapster.loading.forms import WsgiCallable

_server: Server | None = None
_worker: Worker | None = None


class Hooks:
    """What the native module calls instead of the class of the same name in `tapster._hooks`."""

    def __init__(self, settings: str, location: str | None, write: Write) -> None:
        global _server
        values: dict[str, Any] = json.loads(settings)
        values.update((name, value) for name, value in configuration.namespace.items() if callable(value))
        self._log = Log(write)
        self._location = location
        self._server = _server = Server(Config(values), self._log)
        self._is_loaded = False

    def load(self) -> None:
        """Execute the file anew; at the start it has been."""
        if self._is_loaded and self._location is not None:
            configuration.read(self._location, None)
        self._is_loaded = True

    def call(self, name: str, *arguments: Any) -> None:
        """Call what gunicorn calls when this happens."""
        happened = getattr(self, f"_{name}", None)
        if happened is None:
            return
        try:
            happened(*arguments)
        finally:
            # A worker that is forked next must not have these words in its copy of the buffer.
            sys.stdout.flush()
            sys.stderr.flush()
        if name != "post_fork":
            refuse_threads(name)

    def _hook(self, name: str, *arguments: Any) -> None:
        function = configuration.function(name)
        if function is not None:
            function(*arguments)

    def _on_start(self) -> None:
        self._hook("nworkers_changed", self._server, self._server.num_workers, None)
        self._hook("on_starting", self._server)

    def _when_ready(self) -> None:
        self._hook("when_ready", self._server)

    def _pre_fork(self) -> None:
        self._server.worker_age += 1
        self._hook("pre_fork", self._server, self._new_worker())

    def _post_fork(self, number: int) -> None:
        global _worker
        worker = _worker = self._new_worker()
        worker.age = worker.age or number
        worker.pid, worker.ppid = os.getpid(), self._server.pid
        if configuration.function("worker_exit"):
            _lifecycle.on_exit(lambda: self._hook("worker_exit", self._server, worker))
        _lifecycle.on_fork(_loaded)
        self._hook("post_fork", self._server, worker)

    def _worker_ready(self, number: int, pid: int) -> None:
        worker = self._new_worker()
        worker.age, worker.pid, worker.booted = number, pid, True
        self._server.WORKERS[pid] = worker

    def _worker_exit(self, number: int, pid: int, _how: str) -> None:
        worker = self._server.WORKERS.pop(pid, None) or self._new_worker()
        worker.age, worker.pid, worker.alive = worker.age or number, pid, False
        self._hook("child_exit", self._server, worker)

    def _on_reload(self) -> None:
        self._hook("on_reload", self._server)

    def _on_exit(self) -> None:
        self._hook("on_exit", self._server)

    def _new_worker(self) -> Worker:
        return Worker(self._server.worker_age, self._server.cfg, self._log)


def _loaded() -> None:
    """In a worker that has the application: take the signals that the file has functions for, and say so to it."""
    worker = _worker
    if worker is None:
        return
    worker.booted = True
    if configuration.function("worker_int"):
        signal.signal(signal.SIGINT, _interrupted)
        signal.signal(signal.SIGQUIT, _interrupted)
    if configuration.function("worker_abort"):
        signal.signal(signal.SIGABRT, _aborted)
    function = configuration.function("post_worker_init")
    if function is not None:
        function(worker)


def _interrupted(_number: int, _frame: FrameType | None) -> None:
    _report("worker_int")


def _aborted(_number: int, _frame: FrameType | None) -> None:
    if _worker is not None:
        _worker.alive, _worker.aborted = False, True
    _report("worker_abort")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


def _report(name: str) -> None:
    """Call a function for a signal; what it raises would otherwise come up in whatever code runs."""
    try:
        configuration.function(name)(_worker)
    except Exception:
        sys.stderr.write(f"tapster: {name} failed:\n{traceback.format_exc()}")


def configure_logging() -> None:
    """What `logconfig`, `logconfig_json` and `logconfig_dict` say, for the loggers of the application."""
    if _server is None:
        return
    settings = _server.cfg.settings
    dictionary: Any = configuration.namespace.get("logconfig_dict")
    if not dictionary and settings.get("logconfig_json"):
        with open(settings["logconfig_json"], encoding="utf-8") as file:
            dictionary = json.load(file)
    if dictionary:
        logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, **dictionary})
    elif settings.get("logconfig"):
        logging.config.fileConfig(settings["logconfig"], disable_existing_loggers=False)


def around(application: WsgiCallable) -> WsgiCallable:
    """The application, with `pre_request` and `post_request` around it if the file has any of them."""
    before, after = configuration.function("pre_request"), configuration.function("post_request")
    if before is None and after is None:
        return application
    from tapster.gunicorn.requests import wrap

    return wrap(application, before, after, lambda: _worker)
