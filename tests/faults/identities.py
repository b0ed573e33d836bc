"""Who a worker is, and what it shares with the others: the user that it became, and forks of a loaded application (F15, F17)."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults.kinds import OURS, PRELOAD, USER, Wish
from tests.faults.play import fault
from tests.faults.servers import Project, children, eventually
from tests.hosts.conftest import REACHABLE
from tests.server import APPS

if TYPE_CHECKING:
    from tests.faults.play import Play
    from tests.faults.servers import Victim

NOBODY = "www-data"
#: Root without the right to become somebody else: where the drop must fail.
UNABLE = ("setpriv", "--bounding-set", "-setuid,-setgid")
CAPABILITIES = ("CapEff", "CapPrm", "CapInh", "CapAmb")

#: With --preload the application is loaded by the process that forks.
NOTED = "import os\nos.register_at_fork(after_in_child=lambda: loaded())\n"
THREADED = (
    NOTED + "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
)


@fault("F15", "started as root, workers are another user", needs=[USER])
def privileges(play: Play) -> None:
    """Read back from the kernel: user, group, all groups, no capability, and no way back. Takes root."""
    assert os.geteuid() == 0, "root is needed to give it up"
    user = pwd.getpwnam(NOBODY)
    groups = " ".join(map(str, sorted(os.getgrouplist(NOBODY, user.pw_gid))))
    project = open_project(play, "project")
    with play.server(Wish(user=NOBODY), project, wrapper=REACHABLE) as victim:
        for pid in victim.workers():
            found = status(pid)
            # None beyond the user's; ours has them all.
            in_groups = set(found["Groups"].split()) <= set(groups.split())
            in_groups &= found["Groups"] == groups or OURS not in play.kind.features
            play.check(
                "user",
                found["Uid"],
                f"four times {user.pw_uid}",
                found["Uid"].split() == [str(user.pw_uid)] * 4,
            )
            play.check(
                "group",
                found["Gid"],
                f"four times {user.pw_gid}",
                found["Gid"].split() == [str(user.pw_gid)] * 4,
            )
            play.check("groups", found["Groups"], groups, in_groups)
            held = {name: found[name] for name in CAPABILITIES if int(found[name], 16)}
            play.check("capabilities", str(held or "none"), "none", not held)
        back = victim.get("/become-root").body.decode()
        play.check("setuid(0)", back, "refused", back == "refused")
    cannot_drop(play)


def cannot_drop(play: Play) -> None:
    """Where the system refuses the change, nothing is served as root."""
    victim = play.start(Wish(user=NOBODY), open_project(play, "second"), wrapper=[*UNABLE, *REACHABLE])
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            victim.process.wait(5)
        code = victim.process.poll()
        play.check("exit code when it cannot drop", str(code), "not 0", code not in (None, 0))
        loaded = victim.project.noted()
        play.check("applications loaded as root", str(len(loaded)), "0", not loaded)
    finally:
        victim.close()


def open_project(play: Play, name: str) -> Project:
    """A project that every user may read, wherever this repository is, and note things in."""
    project = Project(play.directory / name)
    apps = project.directory / "apps"
    shutil.copytree(APPS, apps, ignore=shutil.ignore_patterns("__pycache__"))
    project.write(apps=apps)
    play.directory.chmod(0o755)
    for place in (project.directory, project.directory / "workers"):
        place.chmod(0o777)
    return project


def status(pid: int) -> dict[str, str]:
    """What the kernel says of a process."""
    text = Path(f"/proc/{pid}/status").read_text()
    return {name: " ".join(value.split()) for name, value in re.findall(r"^(\w+):(.*)$", text, re.M)}


@fault("F17", "workers forked from a process that has loaded the application", needs=[PRELOAD])
def forks(play: Play) -> None:
    """One thread where it is forked; hooks run, random numbers differ; threads of the import are refused by name."""
    project = Project(play.directory / "project")
    project.write(before=NOTED)
    with play.server(Wish(preload=True), project) as victim:
        said = identities(victim, 2)
        forking = [pid for pid in {victim.pid, *children(victim.pid)} if pid not in said]
        threads = {pid: len(os.listdir(f"/proc/{pid}/task")) for pid in forking}
        play.check("threads where forks happen", str(threads), "1 each", set(threads.values()) == {1})
        for place, what in enumerate(("random", "uuid", "ssl")):
            values = {words[place] for words in said.values()}
            play.check(f"{what}: different values", str(len(values)), "2", len(values) == len(said) == 2)
        hooks = {words[3] == f"forked {pid}" for pid, words in said.items()}
        play.check("hooks of the fork ran", str(hooks), "{True}", hooks == {True})
    refuses_threads(play)


def identities(victim: Victim, workers: int) -> dict[int, list[str]]:
    """What each worker says of itself when it is asked first."""
    said: dict[int, list[str]] = {}

    def all_have_said() -> bool:
        """Asks with several clients at once: one worker that is quick would answer all that come one by one."""
        for answer in clients.map(victim.get, ["/identity"] * 8):
            pid, *words = answer.body.decode().split(" ", 4)
            said.setdefault(int(pid), words)
        return len(said) >= workers

    with ThreadPoolExecutor(8) as clients:
        eventually(all_have_said, 20.0, "every worker answers")
    return said


def refuses_threads(play: Play) -> None:
    """Threads are not in a fork: what they were to do would be done by nobody."""
    project = Project(play.directory / "threaded")
    project.write(before=THREADED)
    victim = play.start(Wish(preload=True), project)
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            victim.process.wait(10)
        code = victim.process.poll()
        play.check("exit code with a thread left", str(code), "not 0", code not in (None, 0))
        named = (
            bool(victim.log.find("Thread-1|thread")) if OURS in play.kind.features else code not in (None, 0)
        )
        play.check("the log says why", str(named), "True", named)
    finally:
        victim.close()
