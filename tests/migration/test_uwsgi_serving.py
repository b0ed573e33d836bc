"""A uwsgi.ini served: sockets, processes, threads, static files, hooks; the same answers as uWSGI gives."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import venv
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tests.address import Address
from tests.migration.host import Host
from tests.nginx.front import Nginx
from tests.server import Server, environment, wait_until_listening
from tests.uwsgi_packet import packet, request_variables, uwsgi_request
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

VARIABLES = {"WEB_WORKERS": "3"}


class ServeIni(Protocol):
    """Starts `tapster --ini` with a file of the corpus."""

    def __call__(self, name: str, *arguments: str) -> Server: ...


@pytest.fixture
def host(tmp_path: Path) -> Host:
    host = Host(tmp_path)
    host.install("common.ini")
    return host


@pytest.fixture
def serve_ini(host: Host) -> Iterator[ServeIni]:
    with ExitStack() as stack:

        def start(name: str, *arguments: str) -> Server:
            path = host.install(f"{name}.ini")
            server = stack.enter_context(Server("--ini", str(path), *arguments, cwd=host.root, env=VARIABLES))
            server.wait_ready()
            return server

        yield start


def page(address: Address, request: bytes) -> dict[str, Any]:
    response = exchange(address, request)
    assert response.status == 200, response
    found: dict[str, Any] = json.loads(response.body)
    return found


def test_a_file_is_served(host: Host, serve_ini: ServeIni) -> None:
    server = serve_ini("django-nginx")
    assert server.unix.path == str(host.root / "run/project.sock")
    assert os.stat(server.unix.path).st_mode & 0o777 == 0o664
    seen = page(server.unix, uwsgi_request(target="/a?b=c"))
    assert (seen["wsgi.multithread"], seen["wsgi.multiprocess"]) == (False, True)
    assert (seen["PATH_INFO"], seen["directory"]) == ("/a", str(host.root / "srv/app"))
    # HTTP on the same socket.
    assert page(server.unix, http_request(target="/x"))["PATH_INFO"] == "/x"
    server.log.wait_for("vacuum: not needed")
    assert server.stop() == 0
    assert not (host.root / "run/project.sock").exists()


def test_flags_are_stronger(serve_ini: ServeIni) -> None:
    server = serve_ini("django-nginx", "--workers", "1", "--threads", "2", "--bind", "127.0.0.1:0")
    seen = page(server.address, http_request())
    assert (seen["wsgi.multithread"], seen["wsgi.multiprocess"]) == (True, False)


def test_an_exposed_socket_warns_once(serve_ini: ServeIni) -> None:
    server = serve_ini("flask-tcp")
    assert len(server.log.find("--uwsgi-allow-from names those that may")) == 1


def test_mounts(serve_ini: ServeIni) -> None:
    server = serve_ini("mounts")
    at = {
        path: page(server.unix, uwsgi_request(target=path)) for path in ("/shop/cart", "/shop", "/shopping")
    }
    assert [(seen["name"], seen["SCRIPT_NAME"], seen["PATH_INFO"]) for seen in at.values()] == [
        ("other", "/shop", "/cart"),
        ("other", "/shop", ""),
        (None, "", "/shopping"),
    ]


def test_commands_run_before_the_start(host: Host, serve_ini: ServeIni) -> None:
    server = serve_ini("hooks")
    directory = host.root / "var/lib/directory"
    assert directory.read_text() == f"{host.root}/srv/app\n"
    assert (host.root / "var/lib/asap").read_text() == "asap\n"
    directory.unlink()
    server.reload()
    assert not directory.exists()


def test_a_command_that_fails_stops_the_start(host: Host) -> None:
    path = host.root / "etc/a.ini"
    path.write_text("[uwsgi]\nhttp-socket = 127.0.0.1:0\nmodule = wsgi\nexec-pre-app = exit 7\n")
    with Server("--ini", str(path), cwd=host.root / "srv/app") as server:
        assert server.wait() == 1
        server.log.wait_for("'?exit 7.* failed")


def test_files_are_served_behind_uwsgi(serve_ini: ServeIni) -> None:
    """`socket` and `static-map`: the front takes uwsgi packets."""
    server = serve_ini("static-files")
    style = exchange(server.unix, uwsgi_request(target="/static/a.css"))
    assert (style.status, style.body) == (200, b"a { color: red }\n")
    assert style.get("Cache-Control") == "max-age=86400"
    assert page(server.unix, uwsgi_request(target="/static/none.css"))["PATH_INFO"] == "/static/none.css"
    assert exchange(server.unix, uwsgi_request(target="/media/b.txt")).body == b"b\n"


def test_files_are_served_behind_nginx(host: Host, serve_ini: ServeIni) -> None:
    """The same with the nginx of `examples/`, which passes packets on."""
    server = serve_ini("static-files")
    with Nginx("uwsgi.conf", server.unix, host.root / "nginx") as nginx:
        assert exchange(nginx.address, http_request(target="/media/b.txt")).body == b"b\n"
        seen = page(nginx.address, http_request(target="/media/none?x=1"))
        assert (seen["PATH_INFO"], seen["QUERY_STRING"]) == ("/media/none", "x=1")
        body = exchange(nginx.address, http_request("POST", "/shop", body=b"0123456789"))
        assert body.status == 200


def test_threads_of_the_import_make_it_lazy(host: Host, serve_ini: ServeIni) -> None:
    module = host.root / "srv/app/wsgi.py"
    thread = (
        "import threading, time\nthreading.Thread(target=time.sleep, args=(3600,), daemon=True).start()\n"
    )
    module.write_text(thread + module.read_text())
    server = serve_ini("recycling")
    assert len(server.log.find("each worker imports the application by itself")) == 1
    assert page(server.unix, uwsgi_request())["wsgi.multiprocess"] is True
    server.reload()
    assert page(server.unix, uwsgi_request())["wsgi.multiprocess"] is True


@pytest.mark.parametrize(
    ("variables", "scheme"),
    [
        ({"HTTP_X_FORWARDED_PROTO": "https"}, "https"),
        ({"HTTP_X_FORWARDED_PROTO": "http", "HTTPS": "on"}, "http"),
        ({"HTTP_X_FORWARDED_SSL": "on"}, "https"),
        ({}, "http"),
    ],
)
def test_the_scheme_of_a_uwsgi_peer(serve_ini: ServeIni, variables: dict[str, str], scheme: str) -> None:
    server = serve_ini("factory")
    request = packet([*request_variables(), *((n.encode(), v.encode()) for n, v in variables.items())])
    assert page(server.unix, request)["wsgi.url_scheme"] == scheme


def test_a_virtual_environment_of_this_version(host: Host, serve_ini: ServeIni) -> None:
    made = host.root / "srv/venv"
    venv.create(made, symlinks=True)
    packages = next(made.glob("lib/python3.*/site-packages"))
    (packages / "only_there.py").write_text("from wsgi import application\n")
    text = f"[uwsgi]\nsocket = /run/app.sock\nchdir = /srv/app\nvirtualenv = {made}\nmodule = only_there\n"
    path = host.root / "etc/v.ini"
    path.write_text(text.replace("/srv/app", f"{host.root}/srv/app").replace("/run", f"{host.root}/run"))
    with Server("--ini", str(path), cwd=host.root) as server:
        server.wait_ready()
        assert page(server.unix, uwsgi_request())["PATH_INFO"] == "/"


def test_a_virtual_environment_of_another_version(host: Host) -> None:
    made = host.root / "srv/venv"
    (made / "bin").mkdir(parents=True)
    (made / "lib/python3.4/site-packages").mkdir(parents=True)
    (made / "bin/python").symlink_to(sys.executable)
    path = host.root / "etc/v.ini"
    path.write_text(f"[uwsgi]\nhttp-socket = 127.0.0.1:0\nvirtualenv = {made}\nmodule = wsgi\n")
    with Server("--ini", str(path), cwd=host.root) as server:
        assert server.wait() == 2
        server.log.wait_for(f"install tapster there: {made}/bin/python -m pip install tapster")


def test_a_command_line_of_uwsgi(host: Host) -> None:
    words = ["--http", "127.0.0.1:0", "--wsgi-file", "app.py", "-Mp2", "--threads=3"]
    with Server("uwsgi", *words, cwd=host.root / "srv/app") as server:
        server.wait_ready()
        assert page(server.address, http_request())["wsgi.multithread"] is True


#: Files that uWSGI serves on a unix socket.
SAME = ["conditions", "environment", "loops", "mounts", "sections", "templates", "windows-lines"]
SAME_LONG = [
    "environment-of-file",
    "factory",
    "pythonpath",
    "magic",
    "django-nginx",
    "recycling",
    "quiet-clients",
]


@pytest.mark.parametrize("name", [*SAME, *(pytest.param(name, marks=pytest.mark.long) for name in SAME_LONG)])
def test_answers_are_those_of_uwsgi(host: Host, serve_ini: ServeIni, name: str) -> None:
    with _uwsgi(host, name) as address:
        expected = [page(address, request) for request in _requests()]
    server = serve_ini(name)
    for request, answer in zip(_requests(), expected):
        assert page(server.unix, request) == answer


def _requests() -> list[bytes]:
    https = (b"HTTP_X_FORWARDED_PROTO", b"https")
    return [
        uwsgi_request(target="/"),
        uwsgi_request(target="/a%20b/c?x=1&y"),
        uwsgi_request("POST", "/shop/cart", body=b"0123456789"),
        uwsgi_request(target="/shop"),
        packet([*request_variables(target="/secure"), https]),
        packet([*request_variables(target="/secure"), (b"HTTPS", b"on")]),
    ]


@contextmanager
def _uwsgi(host: Host, name: str) -> Generator[Address]:
    """uWSGI itself with a file of the corpus; where it listens."""
    path = host.install(f"{name}.ini")
    found = os.environ.get("UWSGI") or shutil.which("uwsgi_python3")
    if found is None:
        pytest.skip("no uWSGI: install uwsgi-plugin-python3, or set UWSGI to where it is")
    process = subprocess.Popen(
        [found, "--ini", str(path), "--die-on-term"],
        cwd=host.root,
        env=environment(VARIABLES),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        socket = next(line for line in path.read_text().splitlines() if line.strip().startswith("socket"))
        address = Address(path=_socket_path(host, name, socket))
        wait_until_listening(address)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for left in (host.root / "run").iterdir():
            left.unlink()


def _socket_path(host: Host, name: str, line: str) -> str:
    value = line.partition("=")[2].strip()
    known = {"%(project)": "project", "%(name)": "app", "%n": name}
    for placeholder, text in known.items():
        value = value.replace(placeholder, text)
    assert value.startswith(str(host.root))
    return value
