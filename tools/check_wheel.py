"""Installs the portable wheel into a bare Debian without a compiler, serves a page from there and fetches it.

Run by `make check-wheel`, as root. The root file system is made once by debootstrap, from the mirror that this
machine's apt uses, and kept in .build/root.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
ROOT = REPOSITORY / ".build" / "root"
DIST = REPOSITORY / "dist"
PACKAGES = "python3,python3-venv"
APP = "wsgiref.simple_server:demo_app"
#: Seconds that starting, answering and stopping may take together.
PATIENCE = 30.0


def main() -> None:
    """The whole check; exits with a message when something is wrong."""
    if os.geteuid() != 0:
        sys.exit("check-wheel makes a root file system, which only root can: run it as root")
    if not (ROOT / "usr" / "bin" / "python3").exists():
        make_root()
    compilers = [
        name for name in ("cc", "gcc", "clang", "cargo", "rustc") if (ROOT / "usr" / "bin" / name).exists()
    ]
    if compilers:
        sys.exit(f"the root file system has {compilers}: remove {ROOT} and run this again")
    wheel = matching_wheel()
    install(wheel)
    serve_a_page()
    print(f"{wheel.name}: installed without a compiler, served a page, stopped when told")


def make_root() -> None:
    """Unpacks Debian's smallest system with Python."""
    if not shutil.which("debootstrap"):
        run("apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "debootstrap")
    shutil.rmtree(ROOT, ignore_errors=True)
    ROOT.parent.mkdir(parents=True, exist_ok=True)
    suite, mirror, components = release_and_mirror()
    options = ["--variant=minbase", f"--include={PACKAGES}", f"--components={components}"]
    run("debootstrap", *options, suite, str(ROOT), mirror)


def release_and_mirror() -> tuple[str, str, str]:
    """The code name of this Debian or Ubuntu, where its packages come from and which parts, as apt is configured."""
    released = dict(
        line.split("=", 1) for line in Path("/etc/os-release").read_text("utf-8").split("\n") if "=" in line
    )
    suite, origin = released.get("VERSION_CODENAME", ""), released["ID"].capitalize()
    wanted = ("Created-By: Packages", f"Origin: {origin}")
    shown = run("apt-get", "indextargets", "--format", "$(CODENAME) $(SITE) $(COMPONENT)", *wanted)
    targets = [line.split() for line in shown.splitlines()]
    sites = [(site, part) for codename, site, part in targets if codename == suite]
    if not sites:
        sys.exit("apt has no mirror for this system's release: run `apt-get update` and try again")
    mirror = sites[0][0]
    return suite, mirror, ",".join(sorted({part for site, part in sites if site == mirror}))


def matching_wheel() -> Path:
    """The newest wheel in dist/ for the root file system's Python."""
    version = chroot("python3", "-c", "import sys; print('cp%d%d' % sys.version_info[:2])").strip()
    wheels = sorted(DIST.glob(f"tapster-*-{version}-*manylinux*.whl"), key=lambda path: path.stat().st_mtime)
    if not wheels:
        sys.exit(f"no portable wheel for {version} in dist/: run `make wheel PYTHON=...` with that version")
    return wheels[-1]


def install(wheel: Path) -> None:
    """Installs the wheel, and nothing else, into a new virtualenv inside."""
    shutil.rmtree(ROOT / "venv", ignore_errors=True)
    for old in ROOT.glob("*.whl"):
        old.unlink()
    shutil.copy(wheel, ROOT / wheel.name)
    chroot("python3", "-m", "venv", "/venv")
    chroot("/venv/bin/pip", "install", "--quiet", "--no-index", f"/{wheel.name}")


def serve_a_page() -> None:
    """Starts the README's first command inside, fetches its page, and stops it."""
    inside = f"mount -t proc proc /proc && exec /venv/bin/tapster {APP} --bind 127.0.0.1:0"
    command = [
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "chroot",
        str(ROOT),
        "/bin/sh",
        "-c",
        inside,
    ]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=clean_environment())
    watchdog = threading.Timer(PATIENCE, server.kill)
    watchdog.start()
    try:
        address = wait_for_address(server)
        with urllib.request.urlopen(address, timeout=PATIENCE) as page:
            body = page.read()
        if page.status != 200 or not body.startswith(b"Hello world!"):
            sys.exit(f"a wrong page came back: {page.status} {body[:100]!r}")
        stop(server)
    finally:
        watchdog.cancel()
        server.kill()


def stop(server: subprocess.Popen[str]) -> None:
    """Tells the server inside to stop; its exit status is that of `unshare`."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text("utf-8").split()
    os.kill(int(children[0]), signal.SIGTERM)
    status = server.wait(PATIENCE)
    if status != 0:
        sys.exit(f"the server ended with status {status} when it was told to stop")


def wait_for_address(server: subprocess.Popen[str]) -> str:
    """Reads the start-up lines until the address, and the line after which it answers."""
    assert server.stderr is not None
    seen: list[str] = []
    address = ""
    for line in server.stderr:
        seen.append(line)
        found = re.search(r"listening on (http://\S+)", line)
        address = found.group(1) if found else address
        if address and re.search(r"\bready\b", line):
            return address
    sys.exit("the server did not start:\n" + "".join(seen))


def chroot(*command: str) -> str:
    """Runs a command inside and returns what it prints."""
    return run("chroot", str(ROOT), *command, env=clean_environment())


def clean_environment() -> dict[str, str]:
    """The environment of a new machine: nothing of this one reaches inside."""
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/root"}


def run(*command: str, env: dict[str, str] | None = None) -> str:
    """Runs a command and returns what it prints; ends the check when it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=env, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}")
    return done.stdout


if __name__ == "__main__":
    main()
