"""--sandbox: what an application tries in it, what goes on working, and what is said where it cannot be had.

These tests need a Linux with Landlock 6 or later, and root: they fail without.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.address import Address
from tests.browser import Browser
from tests.hosts.conftest import REACHABLE
from tests.hosts.waiting import wait_until
from tests.server import REPOSITORY, Server, run
from tests.upgrade.generations import Generations
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator

APP = "sandboxed:application"
SANDBOX = ["--sandbox", "fs:ro"]
HIDDEN = [sys.executable, str(Path(__file__).with_name("hide_landlock.py"))]

ALLOWED = {"read", "list", "temporary", "lock", "to-nothing", "connect-tcp", "signal-itself"}
REFUSED = {
    **dict.fromkeys(["overwrite", "create", "remove", "truncate", "rename", "make-directory"], "EACCES"),
    **dict.fromkeys(["named", "child-writes", "bind-tcp", "bind-unix"], "EACCES"),
    **dict.fromkeys(["signal-supervisor", "mount", "unmount", "swap", "trace", "read-process"], "EPERM"),
}


class Host:
    """Directories of a server: one for its temporary files, one that is nobody's business."""

    def __init__(self, root: Path, neighbour: int) -> None:
        self.temporary, self.place = root / "temporary", root / "place"
        for folder in (self.temporary, self.place, self.place / "open"):
            folder.mkdir()
            folder.chmod(0o777)
        (self.place / "kept").write_text("as it was")
        (self.place / "removable").touch()
        (self.place / "kept").chmod(0o666)
        self.environment = {
            "PLACE": str(self.place),
            "TMPDIR": str(self.temporary),
            "NEIGHBOUR": str(neighbour),
        }

    def start(self, *arguments: str, wrapper: list[str] | None = None) -> Server:
        """A server of the application that tries."""
        return Server.start(APP, *arguments, env=self.environment, wrapper=wrapper or [])


@pytest.fixture
def host() -> Iterator[Host]:
    root = Path(tempfile.mkdtemp(prefix="tapster-sandbox-"))
    root.chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as neighbour:
        yield Host(root, neighbour.getsockname()[1])
    shutil.rmtree(root)


def asked(server: Server, target: str) -> dict[str, str]:
    found = exchange(server.address, http_request(target=target))
    assert found.status == 200, found.body
    return dict(json.loads(found.body))


def attempt(server: Server, *names: str) -> dict[str, str]:
    return asked(server, f"/attempt?names={','.join(names)}" if names else "/attempt")


@pytest.mark.parametrize(
    "options",
    [["--workers", "2"], ["--threads", "1"], ["--preload", "--workers", "2"], ["--user", "www-data"]],
    ids=lambda options: str(options[0]),
)
def test_what_an_application_can_do(host: Host, options: list[str]) -> None:
    with host.start(*SANDBOX, *options, wrapper=REACHABLE if "--user" in options else None) as server:
        assert attempt(server) == {**dict.fromkeys(ALLOWED, "done"), **REFUSED}
        at_import = asked(server, "/at-import")
        assert (at_import["overwrite"], at_import["mount"]) == ("EACCES", "EPERM")
        assert (at_import["pid"] == at_import["now"]) == ("--preload" not in options)
        server.reload()
        assert attempt(server, "overwrite", "mount") == {"overwrite": "EACCES", "mount": "EPERM"}
        assert (host.place / "kept").read_text() == "as it was"
        assert server.stop() == 0
        server.log.wait_for("on_exit ran")


def test_a_worker_that_becomes_the_template(host: Host) -> None:
    """It forks workers that are in the sandbox."""
    with host.start(*SANDBOX, "--workers", "2", "--preload", "--refork-after", "4") as server:
        for _ in range(12):
            attempt(server, "overwrite")
        server.log.wait_for("all workers are forks of the new template")
        assert attempt(server) == {**dict.fromkeys(ALLOWED, "done"), **REFUSED}


def test_without_it_nothing_of_that_is_refused(host: Host) -> None:
    """So that the test above shows what the sandbox does, and not what the machine lacks."""
    with host.start() as server:
        found = attempt(server, *sorted({*ALLOWED, *REFUSED} - {"read"}))
        refused = {name for name, result in found.items() if result in ("EACCES", "EPERM")}
        assert not refused
        assert not server.log.find("sandbox fs:ro")


def test_the_log_says_what_holds(host: Host) -> None:
    named = str(host.place / "open")
    with host.start(*SANDBOX, "--sandbox-write", named, "--temp-dir", str(host.temporary)) as server:
        [first, second] = server.log.find("sandbox fs:ro")
        assert first.endswith(f"but those below {host.temporary}, /dev/shm, {named}")
        assert re.search(r"binding TCP ports.*signals.*\b40 system calls \(mount, ptrace", second)
        assert attempt(server, "named", "overwrite") == {"named": "done", "overwrite": "EACCES"}


def test_large_bodies(host: Host) -> None:
    """They go to a file of the temporary directory, from a thread that began after the sandbox."""
    body = os.urandom(8 << 20)
    with host.start(*SANDBOX, "--body-memory", "64KiB") as server:
        found = exchange(server.address, http_request("POST", "/digest", body=body), timeout=30.0)
        assert found.body.decode() == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("options", [[], ["--preload"]], ids=["lazy", "preload"])
def test_flask_and_an_upload(host: Host, options: list[str]) -> None:
    content = os.urandom(3_000_000)
    words, flask = ["app.py", *SANDBOX, *options], REPOSITORY / "examples" / "flask"
    with Server.start(*words, cwd=flask, env=host.environment) as server:
        response = Browser(server.address).upload("/upload", "blob.bin", content, False)
        assert response.status == 200
        assert json.loads(response.body)["sha256"] == hashlib.sha256(content).hexdigest()


def test_a_new_log_file_and_a_new_server(host: Host) -> None:
    """Both are the supervisor's work, which is not in the sandbox."""
    log = host.place / "log"
    words = [*SANDBOX, "--log-file", str(log), "--access-log", "on", "--bind", "127.0.0.1:0"]
    with Server(APP, *words, env=host.environment) as server:
        wait_until(lambda: log.exists() and "ready after" in log.read_text(), "ready", 20)
        found = re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text())
        assert found
        server.addresses.append(Address(host="127.0.0.1", port=int(found[1])))
        log.rename(host.place / "log.1")
        server.send(signal.SIGUSR1)
        wait_until(lambda: log.exists() and "opened again" in log.read_text(), "a new file")
        assert attempt(server, "overwrite") == {"overwrite": "EACCES"}
        wait_until(lambda: "GET /attempt" in log.read_text(), "a line of the worker in the new file")


def test_an_upgrade(host: Host) -> None:
    with host.start(*SANDBOX) as server:
        generations = Generations(server)
        generations.upgrade()
        assert attempt(server, "overwrite", "temporary") == {"overwrite": "EACCES", "temporary": "done"}
        generations.stop()


def test_an_operator_sees_the_stacks(host: Host) -> None:
    control = host.place / "control"
    with host.start(*SANDBOX, "--control-socket", str(control)):
        done = run("stacks", "--control-socket", str(control))
        assert done.returncode == 0, done.stderr
        assert "worker 1" in done.stdout


def test_static_files(host: Host) -> None:
    """The process that serves them is in the sandbox as well."""
    with host.start(*SANDBOX, "--static", f"/files/={host.place}") as server:
        assert exchange(server.address, http_request(target="/files/kept")).body == b"as it was"
        assert attempt(server, "overwrite", "temporary") == {"overwrite": "EACCES", "temporary": "done"}
        assert server.stop() == 0


def test_with_reload_a_save_is_served(host: Host) -> None:
    file = host.place / "saved.py"
    text = "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'{}']\n"
    file.write_text(text.format("one"))
    with Server.start("saved:app", *SANDBOX, "--reload", cwd=host.place, env=host.environment) as server:
        server.log.wait_for(r"watching \d+ file")
        assert exchange(server.address, http_request()).body == b"one"
        mark = server.log.mark()
        file.write_text(text.format("two"))
        server.log.wait_for("saved.py changed: reloading", mark)
        assert exchange(server.address, http_request()).body == b"two"


STEPS = [
    r"setgroups\(",
    r"setuid\(",
    r"prctl\(PR_SET_PDEATHSIG, SIGTERM",
    r"prctl\(PR_SET_NO_NEW_PRIVS, 1",
    r"landlock_restrict_self\(",
    r"seccomp\(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC",
    r"open(at)?\(.*/sandboxed\.",
]


@pytest.mark.parametrize("options", [[], ["--preload"]], ids=["lazy", "preload"])
def test_the_order(host: Host, options: list[str]) -> None:
    """Each step is for the process that loads the application, and before it does."""
    calls = host.place / "calls"
    kinds = "trace=setgroups,setuid,prctl,landlock_restrict_self,seccomp,openat,open"
    traced = ["strace", "-D", "-f", "-qq", "-e", kinds, "-o", str(calls)]
    words = [*SANDBOX, *options, "--user", "www-data"]
    with host.start(*words, wrapper=[*REACHABLE, *traced]) as server:
        lines = calls.read_text().splitlines()
        [importer] = {line.split()[0] for line in lines if re.search(STEPS[-1], line)}
        made = [line for line in lines if line.split()[0] == importer]
        places = [next(n for n, line in enumerate(made) if re.search(step, line)) for step in STEPS]
        assert places == sorted(places), "\n".join(made)
        assert server.stop() == 0


def test_a_system_without_it_refuses_the_start(host: Host) -> None:
    with Server(APP, *SANDBOX, "--bind", "127.0.0.1:0", env=host.environment, wrapper=HIDDEN) as server:
        assert server.wait() == 1
        server.log.wait_for("--sandbox fs:ro cannot be had: this system has no Landlock")
        assert not server.log.find("listening")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([*SANDBOX, "--sandbox-write", "/nowhere"], 1, "--sandbox-write /nowhere cannot be found"),
        (["--sandbox-write", "/tmp"], 2, "--sandbox fs:ro"),
        ([*SANDBOX, "--no-new-privileges", "off"], 2, "--no-new-privileges"),
        (["--sandbox", "on"], 2, "one of off, fs:ro"),
    ],
)
def test_mistakes(arguments: list[str], code: int, said: str) -> None:
    refused = run("plain:application", "--bind", "127.0.0.1:0", *arguments)
    assert (refused.returncode, "listening" in refused.stderr) == (code, False), refused.stderr
    assert said in refused.stderr
