"""Builds CPython 3.13 without the global interpreter lock, from Debian's source package, for the tests on it.

Run by `make test-free-threaded`; it takes about four minutes on two cores, once. Needs a Debian whose apt works: the
source comes from the mirror that this machine's apt uses, and apt checks its signature. Everything is kept in
.build/free-threaded; the interpreter is .build/free-threaded/python/bin/python3.13t.

CPython supports its free-threaded build from 3.14 (PEP 779), and PyO3 compiles for none before. Debian's stable release
has 3.13, which has the same object layout and the same rules for extensions. For the tests PyO3's check of the version is
lifted, in a copy of it: .build/free-threaded/pyo3-ffi.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PLACE = REPOSITORY / ".build" / "free-threaded"
PREFIX = PLACE / "python"
PYTHON = PREFIX / "bin" / "python3.13t"
#: The Debian release that has this version of Python, and the name of the source package there.
SUITE, SOURCE = "trixie", "python3.13"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
#: What the standard library's modules are compiled against. Left out: readline, curses, tkinter, dbm.
LIBRARIES = ["libssl-dev", "zlib1g-dev", "libffi-dev", "libsqlite3-dev", "libbz2-dev", "liblzma-dev"]
TOOLS = ["gcc", "libc6-dev", "make", "pkg-config", "xz-utils", "debian-archive-keyring"]
#: The same version, in Rust.
LEAST = "PythonVersion { major: 3, minor: 13 }"
#: Modules that the tests and the applications in them use.
MODULES = "bz2, ctypes, hashlib, lzma, sqlite3, ssl, zlib"


def main() -> None:
    """The whole build; exits with a message when something is wrong. Does nothing when it is done already."""
    if not PYTHON.exists():
        install_packages()
        build(unpack(fetch()))
    lift_version_check()
    run(str(PYTHON), "-c", f"import sys, {MODULES}; assert not sys._is_gil_enabled(); print(sys.version)")


def install_packages() -> None:
    """What the build needs and this machine lacks, by apt."""
    missing = [name for name in TOOLS + LIBRARIES if not is_installed(name)]
    if not missing:
        return
    if os.geteuid() != 0:
        sys.exit(f"missing Debian packages; install them first: sudo apt-get install {' '.join(missing)}")
    run("apt-get", "update", "--quiet", "--quiet")
    run("apt-get", "install", "--yes", "--quiet", "--quiet", "--no-install-recommends", *missing)


def is_installed(package: str) -> bool:
    """Whether dpkg has it, with all its files."""
    query = ["dpkg-query", "--show", "--showformat", "${db:Status-Status}", package]
    return subprocess.run(query, capture_output=True, text=True).stdout == "installed"


def fetch() -> Path:
    """The source archive, fetched and verified by apt, from an index of its own beside the machine's."""
    sources, state = PLACE / "apt" / "sources", PLACE / "apt"
    for directory in (sources, state / "lists" / "partial", state / "cache" / "archives" / "partial"):
        directory.mkdir(parents=True, exist_ok=True)
    entry = f"Types: deb-src\nURIs: {mirror()}\nSuites: {SUITE}\nComponents: main\nSigned-By: {KEYRING}\n"
    (sources / f"{SUITE}.sources").write_text(entry, encoding="utf-8")
    options = {
        "Dir::Etc::SourceList": "/dev/null",
        "Dir::Etc::SourceParts": str(sources),
        "Dir::State::Lists": str(state / "lists"),
        "Dir::Cache": str(state / "cache"),
        "APT::Sandbox::User": "",
    }
    apt = ["apt-get", "--quiet", *(f"--option={name}={value}" for name, value in options.items())]
    run(*apt, "update")
    run(*apt, "source", "--download-only", "--only-source", SOURCE, directory=PLACE)
    archives = sorted(PLACE.glob(f"{SOURCE}_*.orig.tar.xz"))
    if not archives:
        sys.exit(f"apt fetched no source archive of {SOURCE} into {PLACE}")
    return archives[-1]


def mirror() -> str:
    """Where this machine's apt gets Debian from."""
    listed = [
        "apt-get",
        "indextargets",
        "--format",
        "$(ORIGIN) $(RELEASE) $(REPO_URI)",
        "Created-By: Packages",
    ]
    targets = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.splitlines()
    for origin, release, uri in (target.split(" ", 2) for target in targets if target.count(" ") >= 2):
        if origin == "Debian" and "security" not in release:
            return uri
    sys.exit("apt knows no Debian archive on this machine (apt-get indextargets): run apt-get update first")


def unpack(archive: Path) -> Path:
    """The archive's source tree."""
    tree = PLACE / "source"
    shutil.rmtree(tree, ignore_errors=True)
    with tarfile.open(archive) as packed:
        packed.extractall(tree, filter="data") if sys.version_info >= (3, 12) else packed.extractall(tree)
    (top,) = tree.iterdir()
    return top


def build(source: Path) -> None:
    """Configures, compiles and installs, without Debian's patches and without profile-guided optimisation, which
    would take half an hour."""
    run(
        "./configure",
        "--disable-gil",
        "--with-ensurepip=install",
        f"--prefix={PREFIX}",
        "--quiet",
        directory=source,
    )
    run("make", "--silent", f"-j{os.cpu_count() or 1}", directory=source)
    run("make", "--silent", "install", directory=source)
    shutil.rmtree(source.parent)


def lift_version_check() -> None:
    """Copies the sources of pyo3-ffi, as Cargo.lock names them, and lets the copy accept this version."""
    asked = ["cargo", "metadata", "--locked", "--format-version", "1"]
    metadata = subprocess.run(asked, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True).stdout
    (manifest,) = (
        one["manifest_path"] for one in json.loads(metadata)["packages"] if one["name"] == "pyo3-ffi"
    )
    copy = PLACE / "pyo3-ffi"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(Path(manifest).parent, copy)
    script = copy / "build.rs"
    before = script.read_text("utf-8")
    after = re.sub(r"(MIN_FREE_THREADED_VERSION: PythonVersion =) \w+;", rf"\1 {LEAST};", before)
    if before == after:
        sys.exit(f"{script} checks the version in another way than is known here")
    script.write_text(after, encoding="utf-8")


def run(*command: str, directory: Path | None = None) -> None:
    """Runs a command; exits when it fails."""
    try:
        subprocess.run(command, cwd=directory, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"cannot build a free-threaded Python: {error}")


if __name__ == "__main__":
    main()
