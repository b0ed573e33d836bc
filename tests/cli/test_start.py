"""From the command to the first answer: what is found, what is said, what is wrong in one line."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.address import Address
from tests.cli.test_binding import free_port
from tests.server import APPS, Server, command, environment, run, wait_until_listening
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve

HELLO = "def {name}(environ, start_response):\n    start_response('200 OK', [])\n    return [b'{text}']\n"


def body(server: Server, target: str = "/") -> bytes:
    return exchange(server.address, http_request(target=target)).body


def test_the_readmes_first_command(serve: Serve) -> None:
    assert body(serve("wsgiref.simple_server:demo_app")).startswith(b"Hello world!")


def test_start_up_lines(serve: Serve) -> None:
    server = serve("plain:application", "--workers", "2", "--threads", "3")
    text = server.log.text()
    assert re.search(r"tapster \d+\.\d+", text), "version"
    assert "plain:application" in text
    assert f"{server.pid}" in text
    assert f"http://{server.address}" in text
    assert "HTTP and uwsgi" in text
    assert re.search("2 workers.*3 threads", text)
    assert "6 requests at once" in text
    assert "size database pools" in text
    assert re.search(r"stop with .*kill", text)
    assert len(server.log.lines()) <= 12


def test_the_log_goes_to_standard_error() -> None:
    """Standard output belongs to the application."""
    arguments = [*command(), "plain:application", "--bind", "127.0.0.1:0"]
    pipe = subprocess.PIPE
    child = subprocess.Popen(arguments, stdout=pipe, stderr=pipe, env=environment(), text=True, cwd=APPS)
    assert child.stderr is not None
    for line in child.stderr:
        if "ready after" in line:
            break
    child.send_signal(signal.SIGTERM)
    out, _ = child.communicate(timeout=30)
    assert (child.returncode, out) == (0, "")


def test_python_dash_m() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tapster", "--version"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0
    assert ended.stdout == run("--version").stdout


@pytest.mark.parametrize(
    ("file", "name"),
    [("wsgi.py", "application"), ("app.py", "app"), ("main.py", "app"), ("app.py", "application")],
)
def test_without_an_app_the_usual_files_are_tried(serve: Serve, tmp_path: Path, file: str, name: str) -> None:
    (tmp_path / file).write_text(HELLO.format(name=name, text="found"))
    assert body(serve(cwd=tmp_path)) == b"found"


def test_the_order_of_the_usual_files(serve: Serve, tmp_path: Path) -> None:
    for file in ("main.py", "app.py", "wsgi.py"):
        (tmp_path / file).write_text(HELLO.format(name="app", text=file))
    assert body(serve(cwd=tmp_path)) == b"wsgi.py"


def test_the_app_of_the_configuration_file(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "tapster.toml").write_text('app = "named:app"\nthreads = 2\n')
    (tmp_path / "named.py").write_text(HELLO.format(name="app", text="named"))
    server = serve(cwd=tmp_path)
    assert body(server) == b"named"
    assert re.search("2 threads", server.log.text())


def test_chdir_pythonpath_and_env(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "library.py").write_text("NAME = 'library'\n")
    (tmp_path / "work" / "site.cfg").write_text("configured")
    (tmp_path / "work" / "inner.py").write_text(
        "import json, os, library\n"
        "def app(environ, start_response):\n"
        "    start_response('200 OK', [])\n"
        "    found = [os.getcwd(), library.NAME, os.environ['GREETING'], open('site.cfg').read()]\n"
        "    return [json.dumps(found).encode()]\n"
    )
    words = ["inner:app", "--chdir", "work", "--pythonpath", "lib", "--env", "GREETING=good day"]
    server = serve(*words, cwd=tmp_path)
    assert json.loads(body(server)) == [str(tmp_path / "work"), "library", "good day", "configured"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("no_such_module:app",), "no_such_module"),
        (("plain:aplication",), "application"),
        (("plain:BLOCK",), "cannot be called"),
        (("nothere.py",), "nothere.py"),
        (("plain:application", "--chdir", "/nowhere"), "/nowhere"),
    ],
)
def test_first_mistakes(arguments: tuple[str, ...], message: str) -> None:
    ended = run(*arguments, "--bind", "127.0.0.1:0")
    assert ended.returncode > 0
    assert message in ended.stderr
    assert "site-packages/tapster" not in ended.stderr, "no frames of ours"


def test_no_app_anywhere(tmp_path: Path) -> None:
    ended = run("--bind", "127.0.0.1:0", cwd=tmp_path)
    assert ended.returncode > 0
    assert "app.py" in ended.stderr


def test_a_syntax_error_shows_its_place(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("x = 1\ndef broken(:\n")
    ended = run("--bind", "127.0.0.1:0", cwd=tmp_path)
    assert ended.returncode > 0
    assert "SyntaxError" in ended.stderr
    assert re.search(r'app\.py", line 2', ended.stderr)


@pytest.mark.parametrize("name", ["help", "version", "config"])
def test_a_path_always_means_an_app(serve: Serve, tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.py").write_text(HELLO.format(name="app", text=name))
    assert body(serve(f"{name}:app", cwd=tmp_path)) == name.encode()
    assert body(serve(f"./{name}.py", cwd=tmp_path)) == name.encode()


def test_access_log(serve: Serve) -> None:
    server = serve("plain:application", "--access-log", "on")
    mark = server.log.mark()
    assert body(server, "/target?quoted=%22") == b"quoted=%22"
    found = server.log.wait_for(r'"GET /target\?quoted=%22 HTTP/1\.1" (\d+) (\d+)', mark)
    assert found.groups() == ("200", "10")


def test_access_log_off_and_auto(serve: Serve) -> None:
    for option in (["--access-log", "off"], []):
        server = serve("plain:application", *option)
        mark = server.log.mark()
        body(server)
        server.stop()
        assert server.log.find("GET /", mark) == []


def test_control_bytes_in_the_log_are_escaped(serve: Serve) -> None:
    server = serve("plain:application", "--access-log", "on")
    mark = server.log.mark()
    exchange(server.address, http_request(fields={"User-Agent": "a\u009b[31m\tb"}))
    found = server.log.wait_for("GET /", mark)
    assert "\x9b" not in found.string
    assert "\t" not in found.string


def test_log_level_error_is_quiet() -> None:
    port = free_port()
    with Server("plain:application", "--bind", f"127.0.0.1:{port}", "--log-level", "error") as server:
        wait_until_listening(Address(host="127.0.0.1", port=port))
        server.stop()
        server.log.join()
        assert server.log.lines() == []
