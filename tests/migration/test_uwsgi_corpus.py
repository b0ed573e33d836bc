"""Files as real projects have them: each means what it says, or stops the start with what to do instead."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.migration.host import CORPUS, Host
from tests.server import run

if TYPE_CHECKING:
    from pathlib import Path

#: What `tapster config show` says of each file: options, and the value or a part of it.
MEANS: dict[str, dict[str, str]] = {
    "check-static": {"static": "/={root}/srv/app/static", "bind": "127.0.0.1:0", "threads": "1"},
    "conditions": {
        "threads": "8",
        "env": "APP_SETTINGS=production",
        "request-timeout": "33s",
        "static": "/static=",
    },
    "development": {"reload": "on", "preload": "off"},
    "django-nginx": {
        "app": "project.wsgi:application",
        "workers": "5",
        "threads": "1",
        "bind": "unix:{root}/run/project.sock",
        "socket-mode": "664",
        "preload": "on",
        "chdir": "{root}/srv/app",
    },
    "docker-http": {"app": "./app.py:app", "bind": "0.0.0.0:0", "workers": "2", "threads": "4"},
    "environment": {"workers": "3", "env": "APP_SETTINGS=project.settings"},
    "environment-of-file": {"env": "APP_SETTINGS=of a file"},
    "factory": {"app": "wsgi:create_app()", "threads": "5"},
    "flask-tcp": {
        "bind": "0.0.0.0:0",
        "uwsgi-allow-from": "127.0.0.0/8, ::1, 10.0.0.0/8",
        "workers": "4",
        "threads": "2",
    },
    "hooks": {"before-start": "pwd >"},
    "http-socket": {"bind": "0.0.0.0:0", "workers": "3", "preload": "off", "access-log": "off"},
    "kubernetes": {
        "bind": "[::]:0",
        "preload": "off",
        "request-timeout": "120s",
        "access-log-status": "5xx",
        "access-log-slower": "2000ms",
        "statsd": "udp://127.0.0.1:8125",
        "statsd-prefix": "app",
    },
    "loggers": {"log-file": "{root}/var/log/app.log", "access-logfile": "{root}/var/log/requests.log"},
    "logs": {
        "log-file": "{root}/var/log/uwsgi.log",
        "access-log-skip": "/healthz",
        "access-log-format": "%(addr) [",
    },
    "loops": {"static": "/static={root}/srv/app/static", "env": "N1=1"},
    "magic": {"bind": "unix:{root}/run/magic.sock", "env": "APP_SETTINGS=etc ini magic.ini "},
    "mounts": {"app": "app", "mount": "/shop=wsgi:other"},
    "production-preset": {
        "workers": "2..8",
        "max-requests": "1000",
        "max-worker-lifetime": "3600s",
        "max-rss": "2048MiB",
        "graceful-timeout": "60s",
        "request-timeout": "60s",
        "access-log-status": "4xx",
        "socket-mode": "0660",
    },
    "pythonpath": {"pythonpath": "{root}/srv/app", "app": "project.wsgi"},
    "quiet-clients": {"io-timeout": "120s", "backlog": "128", "limit-nofile": "4096"},
    "recycling": {
        "workers": "4",
        "max-requests": "5000",
        "max-requests-jitter": "200",
        "max-worker-lifetime-jitter": "600s",
        "max-rss": "512MiB",
        "graceful-timeout": "12s",
        "timeout-grace": "5s",
    },
    "sections": {"workers": "2", "request-timeout": "20s", "max-body": "1048576"},
    "static-files": {"static": "/media={root}/srv/app/media", "static-cache-control": "*.css=max-age=86400"},
    "systemd": {
        "umask": "002",
        "socket-owner": "root:root",
        "pidfile": "{root}/run/app.pid",
        "touch-reload": "{root}/srv/app/wsgi.py",
        "stats": "127.0.0.1:0",
        "stats-http": "on",
    },
    "templates": {"workers": "3", "threads": "6", "bind": "unix:{root}/run/app.sock"},
    "common": {"workers": "3", "app": "wsgi"},
    "tls": {"tls-certificate": "{root}/etc/app.crt", "tls-redirect-bind": "127.0.0.1:0"},
    "windows-lines": {"threads": "2", "bind": "unix:{root}/run/app.sock"},
    "wsgi-extension": {"app": "{root}/srv/app/site.wsgi:other"},
}

#: Files that stop the start: where, and what is to be done.
STOPS: dict[str, tuple[str, str]] = {
    "background": ("background.ini:3:13: daemonize", "systemd"),
    "cached": ("cached.ini:3:10: cache2", "Redis"),
    "celery": ("celery.ini:3:17: attach-daemon", "service of its own"),
    "emperor": ("emperor.ini:2:11: emperor", "server for each vassal"),
    "fetched": ("@(exec://…) is refused: a configuration executes and fetches nothing", "write the value"),
    "gevent": ("gevent.ini:3:10: gevent", "threads = N"),
    "nested": ("nested.ini:3:10: if-env", "endif"),
    "paste": ("paste.ini:2:13: ini-paste", "loadapp"),
    "readiness": ("readiness.ini:3:19: hook-accepting1", "worker_ready"),
    "redirects": ("redirects.ini:3:12: route-if", "no routing language"),
    "rotation": ("rotation.ini:4:15: log-maxsize", "logrotate"),
    "scheduled": ("scheduled.ini:3:15: unique-cron", "systemd timer"),
    "typo": ("typo.ini:3:10: vaccum", "did you mean vacuum?"),
}

VARIABLES = {"WEB_WORKERS": "3", "A": "1"}


def test_every_file_is_listed() -> None:
    names = {path.stem for path in CORPUS.glob("*.ini")}
    assert names == MEANS.keys() | STOPS.keys()
    assert len(names) >= 40


@pytest.fixture
def host(tmp_path: Path) -> Host:
    host = Host(tmp_path)
    host.install("common.ini")
    return host


@pytest.mark.parametrize("name", sorted(MEANS))
def test_options(host: Host, name: str) -> None:
    shown = run("config", "show", "--ini", str(host.install(f"{name}.ini")), env=VARIABLES)
    assert shown.returncode == 0, shown.stderr
    rows = [line.split(maxsplit=1) for line in shown.stdout.splitlines()]
    for option, value in MEANS[name].items():
        values = [row[1] for row in rows if row[0] == option]
        wanted = value.format(root=host.root)
        assert any(found.startswith(wanted) for found in values), (option, wanted, values)


@pytest.mark.parametrize("name", sorted(STOPS))
def test_what_stops_says_what_to_do(host: Host, name: str) -> None:
    ended = run("--ini", str(host.install(f"{name}.ini")), cwd=host.root, env=VARIABLES)
    place, advice = STOPS[name]
    assert ended.returncode == 2
    message, _, hint = ended.stderr.partition("hint: ")
    assert place in message, ended.stderr
    assert advice in hint, ended.stderr


def test_users_are_changed_to_only_by_root(host: Host) -> None:
    shown = run("config", "show", "--ini", str(host.install("systemd.ini"))).stdout
    users = [line.split()[1] for line in shown.splitlines() if line.startswith("user ")]
    assert users == (["nobody"] if os.geteuid() == 0 else ["(who"])
