"""The machine and the tools: what a figure has to be read with."""

from __future__ import annotations

import datetime as dt
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

from bench.contenders import tapster

_TOOLS = {
    "wrk": "wrk",
    "h2load": "nghttp2-client",
    "strace": "strace",
    "nginx": "nginx-light",
    "taskset": "util-linux",
}
_REPOSITORY = Path(__file__).resolve().parent.parent


def require_tools() -> None:
    """Says what is missing, all at once."""
    missing = [package for tool, package in _TOOLS.items() if not shutil.which(tool)]
    if missing:
        sys.exit(f"missing: apt-get install {' '.join(missing)} (`make bench` does it)")
    if (os.cpu_count() or 1) < 2:
        sys.exit("two cores are needed: one for the server, one for the load")


def now() -> dt.datetime:
    """The time in UTC."""
    return dt.datetime.now(tz=dt.timezone.utc)


def description() -> dict[str, str]:
    """Processor, memory, kernel, Python and the tools."""
    memory = re.search(r"MemTotal:\s+(\d+)", _text("/proc/meminfo"))
    model = re.search(r"model name\s*:\s*(.+)", _text("/proc/cpuinfo"))
    virtual = "hypervisor" in _text("/proc/cpuinfo")
    return {
        "processor": f"{model.group(1) if model else platform.machine()}, {os.cpu_count()} cores"
        f"{' of a virtual machine' if virtual else ''}",
        "memory": f"{int(memory.group(1)) / 2**20:.0f} GiB" if memory else "unknown",
        "system": f"{_system()}, Linux {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "tools": ", ".join((_tool("wrk", "-v"), _tool("h2load", "--version"), _tool("nginx", "-v"))),
    }


def tapster_version() -> str:
    """What the command says of itself, and the last commit that changed what the wheel is built from."""
    said = subprocess.run(
        [*tapster(), "--version"], check=True, stdout=subprocess.PIPE, text=True, cwd=_REPOSITORY
    ).stdout.split()
    commit = subprocess.run(
        ["git", "log", "-1", "--format=%h", "--", "crates", "python", "Cargo.toml", "Cargo.lock"],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=_REPOSITORY,
    ).stdout.strip()
    return f"{said[-1]} ({commit})" if commit else said[-1]


def _system() -> str:
    found = re.search(r'^PRETTY_NAME="?([^"\n]+)', _text("/etc/os-release"), re.MULTILINE)
    return found.group(1) if found else platform.system()


def _tool(name: str, option: str) -> str:
    """A tool and its version, which some say with an error."""
    said = subprocess.run(
        [name, option], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ).stdout
    version = re.search(r"\d+\.[\w.]+", said)
    return f"{name} {version.group() if version else ''}".strip()


def _text(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except OSError:
        return ""
