"""A real uWSGI behind a front."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from typing import TYPE_CHECKING, Callable

import pytest

from tests.log import Log
from tests.server import APPS, Server
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Front = Callable[..., Server]


@pytest.fixture(params=["tcp", "unix"])
def uwsgi(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The upstream, with apps/plain.py."""
    program = shutil.which("uwsgi_python3")
    if program is None:
        pytest.skip("no uWSGI: install uwsgi-plugin-python3")
    place = "127.0.0.1:0" if request.param == "tcp" else str(tmp_path / "app.sock")
    command = [program, "--socket", place, "--chdir", str(APPS), "--module", "plain:application"]
    options = ["--master", "--processes", "2", "--need-app", "--die-on-term", "--buffer-size", "32768"]
    process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    log = Log(process.stdout)
    try:
        log.wait_for(r"spawned uWSGI worker 2")
        bound = log.wait_for(r"bound to \w+ address (\S+)")[1]
        yield f"uwsgi:unix:{place}" if request.param == "unix" else f"uwsgi://{bound}"
    finally:
        process.terminate()
        process.wait(10)
        log.join()


def test_it_answers(front: Front, uwsgi: str) -> None:
    server = front([uwsgi])
    for _ in range(10):
        assert exchange(server.address, http_request(target="/")).body == b"hello"
    assert exchange(server.address, http_request("HEAD", "/"), "HEAD").status == 200
    assert exchange(server.address, http_request(target="/nowhere")).status == 404


def test_bodies_arrive_whole(front: Front, uwsgi: str) -> None:
    server = front([uwsgi])
    body = bytes(range(256)) * 8000
    request = http_request("POST", "/digest", body=body)
    response = exchange(server.address, request, "POST")
    assert response.body.decode() == f"{len(body)} {hashlib.sha256(body).hexdigest()}"
    assert exchange(server.address, http_request("POST", "/echo", body=body), "POST").body == body


def test_a_head_that_it_refuses_is_502_and_said(front: Front, uwsgi: str) -> None:
    server = front([uwsgi])
    request = http_request(target="/", fields={f"X-{number}": "x" * 6000 for number in range(6)})
    assert exchange(server.address, request).status == 502
    server.log.wait_for(r"unless its buffer-size says more")
