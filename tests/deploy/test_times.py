"""The times in the files of deploy/ fit each other, as docs/behind-a-proxy.md says that they do."""

from __future__ import annotations

import re

import pytest

from tests.deploy.proxies import DEPLOY


def seconds(file: str, pattern: str) -> list[float]:
    """What stands before the `s` of each match."""
    text = re.sub(r"(?m)^\s*#.*$", "", (DEPLOY / file).read_text())
    found = [float(number) for number in re.findall(pattern + r"\s*(\d+)s", text)]
    assert found, f"no {pattern} in deploy/{file}"
    return found


def tapster(option: str) -> float:
    return seconds("tapster.toml", rf'{option} = "')[0]


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        ("nginx/http.conf", "keepalive_timeout"),
        ("haproxy/http.cfg", "pool-purge-delay"),
        ("envoy/envoy.yaml", r"common_http_protocol_options: \{ idle_timeout:"),
    ],
)
def test_idle_connections_end_at_the_proxy_first(file: str, pattern: str) -> None:
    assert all(time < tapster("keep-alive") for time in seconds(file, pattern))


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        ("nginx/http.conf", "proxy_(?:read|send)_timeout"),
        ("nginx/uwsgi.conf", "uwsgi_(?:read|send)_timeout"),
        ("haproxy/http.cfg", "timeout server"),
        ("haproxy/tcp.cfg", "timeout (?:client|server)"),
        ("envoy/envoy.yaml", r"(?m:^ {28}timeout:)"),
    ],
)
def test_requests_end_in_tapster_first(file: str, pattern: str) -> None:
    assert all(time > tapster("request-timeout") for time in seconds(file, pattern))


@pytest.mark.parametrize(
    ("file", "interval", "failures"),
    [
        ("haproxy/http.cfg", "inter", r"fall (\d+)"),
        ("haproxy/tcp.cfg", "inter", r"fall (\d+)"),
        ("envoy/envoy.yaml", " interval:", r"unhealthy_threshold: (\d+)"),
    ],
)
def test_the_proxy_notices_within_the_delay(file: str, interval: str, failures: str) -> None:
    (count,) = re.findall(failures, (DEPLOY / file).read_text())
    every = seconds(file, interval)[0]
    assert every * (int(count) + 1) < tapster("drain-delay")


def test_whoever_kills_waits_longer() -> None:
    (patience,) = re.findall(
        r"(?m)^TimeoutStopSec=(\d+)$", (DEPLOY / "systemd" / "tapster.service").read_text()
    )
    assert float(patience) > tapster("graceful-timeout") > tapster("drain-delay")
