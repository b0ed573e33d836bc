"""--user, --group, --umask, --socket-owner: workers give up root for good before they load the application.

These tests need root: they fail without.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
import signal
import stat
from pathlib import Path

import pytest

from tests.hosts.conftest import REACHABLE
from tests.hosts.waiting import wait_until
from tests.server import Server, run, wait_gone
from tests.wire import exchange, http_request

APP = "steps:application"
WEB = pwd.getpwnam("www-data")
STRANGER = 3_000_001
"""A number that no user and no group has."""

TELLS = """
import json, os, pathlib, sys

AT_IMPORT = os.getresuid()

def become_root():
    try:
        os.setuid(0)
    except PermissionError:
        return False
    return True

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    made = pathlib.Path(__file__).with_name("open") / "made"
    made.write_text("x")
    told = {
        "at-import": AT_IMPORT, "uid": os.getresuid(), "gid": os.getresgid(), "groups": sorted(os.getgroups()),
        "home": os.environ.get("HOME"), "user": os.environ.get("USER"), "root": become_root(),
        "descriptors": len(os.listdir("/proc/self/fd")), "mode": made.stat().st_mode & 0o777,
    }
    return [json.dumps(told).encode()]
"""


@pytest.fixture
def app(common: Path) -> Path:
    """An application that tells who it is, in a directory that every user may read."""
    (common / "tells.py").write_text(TELLS)
    (common / "open").mkdir()
    os.chmod(common / "open", 0o777)
    return common


def start(*arguments: str, cwd: Path) -> Server:
    return Server.start("tells:app", *arguments, cwd=cwd, wrapper=REACHABLE)


def told(server: Server) -> dict[str, object]:
    found = exchange(server.address, http_request(target="/"))
    assert found.status == 200, found.body
    return dict(json.loads(found.body))


def status(pid: int) -> dict[str, str]:
    text = Path(f"/proc/{pid}/status").read_text()
    return {name: " ".join(value.split()) for name, value in re.findall(r"^(\w+):(.*)$", text, re.M)}


@pytest.mark.parametrize("refork", [[], ["--refork-after", "4"]], ids=["imported", "warmed"])
def test_the_template_is_the_user_before_it_imports(app: Path, refork: list[str]) -> None:
    words = ["--user", "www-data", "--workers", "2", "--preload", *refork]
    with start(*words, cwd=app) as server:
        if refork:
            for _ in range(12):
                told(server)
            server.log.wait_for("all workers are forks of the new template")
            wait_until(lambda: len(server.worker_pids()) == 3, "the former template goes")
        answer = told(server)
        assert answer["at-import"] == answer["uid"] == [WEB.pw_uid] * 3
        assert answer["gid"] == [WEB.pw_gid] * 3
        assert answer["root"] is False
        pids = server.worker_pids()
        assert len(pids) == 3
        for pid in pids:
            assert status(pid)["Uid"] == " ".join([str(WEB.pw_uid)] * 4)
            assert status(pid)["CapEff"] == "0" * 16
            assert status(pid)["PPid"] == str(server.pid)
        assert server.stop() == 0


def test_workers_are_the_user_before_the_application_is_loaded(app: Path) -> None:
    with start("--user", "www-data", "--workers", "2", cwd=app) as server:
        answer = told(server)
        assert answer["at-import"] == [WEB.pw_uid] * 3
        assert answer["uid"] == [WEB.pw_uid] * 3
        assert answer["gid"] == [WEB.pw_gid] * 3
        assert answer["groups"] == sorted(os.getgrouplist("www-data", WEB.pw_gid))
        assert (answer["home"], answer["user"]) == (WEB.pw_dir, "www-data")
        assert answer["root"] is False
        for pid in server.worker_pids():
            found = status(pid)
            assert found["Uid"] == " ".join([str(WEB.pw_uid)] * 4)
            assert found["Gid"] == " ".join([str(WEB.pw_gid)] * 4)
            assert found["Groups"] == " ".join(map(str, sorted(os.getgrouplist("www-data", WEB.pw_gid))))
            assert {int(found[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {0}
            assert found["NoNewPrivs"] == "1"
        assert status(server.pid)["Uid"].split()[0] == "0", "the supervisor stays what it was"
        server.reload()
        assert told(server)["uid"] == [WEB.pw_uid] * 3
        assert server.stop() == 0


def test_the_template_is_the_user_too(app: Path) -> None:
    """It imports the application."""
    with start("--user", "www-data", "--preload", "--workers", "2", cwd=app) as server:
        assert told(server)["at-import"] == [WEB.pw_uid] * 3
        children = server.worker_pids()
        assert len(children) == 3
        for pid in children:
            assert status(pid)["Uid"] == " ".join([str(WEB.pw_uid)] * 4)
            assert status(pid)["CapEff"] == "0" * 16
        assert server.stop() == 0


def test_numbers_that_no_user_has(app: Path) -> None:
    with start("--user", str(STRANGER), "--group", str(STRANGER + 1), "--threads", "1", cwd=app) as server:
        answer = told(server)
        assert (answer["uid"], answer["gid"]) == ([STRANGER] * 3, [STRANGER + 1] * 3)
        assert answer["groups"] == [STRANGER + 1]
        assert (answer["home"], answer["user"]) == ("/", str(STRANGER))
        assert server.stop() == 0


def test_a_group_alone_and_the_variables_that_were_given(app: Path) -> None:
    adm = grp.getgrnam("adm").gr_gid
    with start("--group", "adm", "--env", "USER=somebody", cwd=app) as server:
        answer = told(server)
        assert (answer["uid"], answer["gid"], answer["groups"]) == ([0] * 3, [adm] * 3, [adm])
        assert answer["user"] == "somebody"


def test_the_umask_is_for_files_of_the_server_and_the_application(app: Path) -> None:
    arguments = ["--umask", "027", "--pidfile", str(app / "pid"), "--bind", f"unix:{app}/s,127.0.0.1:0"]
    with start(*arguments, cwd=app) as server:
        assert exchange(server.unix, http_request(target="/")).status == 200
        assert stat.S_IMODE((app / "open" / "made").stat().st_mode) == 0o640
        assert stat.S_IMODE((app / "pid").stat().st_mode) == 0o640
        assert stat.S_IMODE((app / "s").stat().st_mode) == 0o660, "--socket-mode"


@pytest.mark.parametrize(
    ("arguments", "uid", "gid"),
    [
        (["--user", "www-data"], WEB.pw_uid, WEB.pw_gid),
        (["--user", "www-data", "--socket-owner", "nobody"], pwd.getpwnam("nobody").pw_uid, 0),
        (["--socket-owner", f"{STRANGER}:adm"], STRANGER, grp.getgrnam("adm").gr_gid),
        (["--socket-owner", ":www-data"], 0, WEB.pw_gid),
        ([], 0, 0),
    ],
)
def test_whom_a_unix_socket_belongs_to(app: Path, arguments: list[str], uid: int, gid: int) -> None:
    with start(*arguments, "--bind", f"unix:{app}/s", cwd=app) as server:
        found = (app / "s").stat()
        assert (found.st_uid, found.st_gid) == (uid, gid)
        assert stat.S_IMODE(found.st_mode) == 0o660
        assert server.stop() == 0
        assert not (app / "s").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--user", "nobody-of-this-name"], "no user of this name"),
        (["--group", "nobody-of-this-name"], "no group of this name"),
        (["--user", str(STRANGER)], "--group"),
        (["--socket-owner", "nobody-of-this-name"], "no user of this name"),
    ],
)
def test_names_that_nobody_has_refuse_the_start(arguments: list[str], said: str) -> None:
    refused = run(APP, "--bind", "127.0.0.1:0", *arguments)
    assert refused.returncode == 1
    assert said in refused.stderr
    assert arguments[0] in refused.stderr
    assert "listening" not in refused.stderr


@pytest.mark.parametrize(
    "lacking",
    [
        ["setpriv", "--bounding-set", "-setuid", "--inh-caps", "-setuid", "--securebits", "+noroot"],
        ["setpriv", "--reuid", str(STRANGER), "--regid", str(STRANGER), "--clear-groups"],
    ],
    ids=["without-the-capability", "not-root"],
)
def test_who_may_not_change_is_told_so(app: Path, lacking: list[str]) -> None:
    with Server("tells:app", "--user", "www-data", cwd=app, wrapper=[*REACHABLE, *lacking]) as server:
        assert server.wait() == 1
        server.log.wait_for("--user.*CAP_SETUID")


def test_who_is_the_user_already_need_not_be_root(app: Path) -> None:
    already = ["setpriv", "--reuid", str(STRANGER), "--regid", str(STRANGER), "--clear-groups"]
    arguments = [
        "--user",
        str(STRANGER),
        "--group",
        str(STRANGER),
        "--bind",
        f"unix:{app}/open/s,127.0.0.1:0",
    ]
    with Server("tells:app", *arguments, cwd=app, wrapper=[*REACHABLE, *already]) as server:
        server.wait_ready()
        assert told_over(server)["uid"] == [STRANGER] * 3


def told_over(server: Server) -> dict[str, object]:
    server.addresses.sort(key=lambda address: bool(address.path))
    return told(server)


def test_a_drop_that_fails_ends_the_start(app: Path) -> None:
    """As root in a user namespace where the number does not exist: the system refuses, and nothing runs as root."""
    inside = ["unshare", "--user", "--map-root-user"]
    with Server(
        "tells:app", "--user", str(STRANGER), "--group", "0", cwd=app, wrapper=[*REACHABLE, *inside]
    ) as server:
        assert server.wait() not in (0, None)
        server.log.wait_for("cannot become what --user and --group say.*set")
        assert not server.log.find("serving")


def test_programs_gain_privileges_if_that_is_wanted(app: Path) -> None:
    with start("--user", "www-data", "--no-new-privileges", "off", cwd=app) as server:
        assert [status(pid)["NoNewPrivs"] for pid in server.worker_pids()] == ["0"]


def test_a_place_that_the_user_may_not_read_is_named(app: Path) -> None:
    (app / "closed").mkdir(0o700)
    closed = str(app / "closed" / "lib")
    (app / "closed" / "lib").mkdir()
    arguments = ["--user", "www-data", "--pythonpath", closed, "--bind", "127.0.0.1:0"]
    with Server("tells:app", *arguments, cwd=app, wrapper=REACHABLE) as server:
        assert server.wait() == 3
        server.log.wait_for(f"www-data .*may not read {closed}")


def test_workers_die_with_the_supervisor_all_the_same(app: Path) -> None:
    """A change of user resets the parent-death signal."""
    with start("--user", "www-data", "--workers", "2", cwd=app) as server:
        workers = server.worker_pids()
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)  # What watches the supervisor sleeps; the kernel does not.
        server.send(signal.SIGKILL)
        server.wait()
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
        wait_gone(workers, 20.0)
