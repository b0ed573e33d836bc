"""Who may depend on whom: the table of ARCHITECTURE.md, against what cargo says is the case."""

from __future__ import annotations

import json
import os
import subprocess
from functools import lru_cache

import pytest

from tests.architecture.sources import ROOT

LEAVES = {"http1", "uwsgi", "config", "observe", "sys"}

#: Each crate and the crates of ours that it may use, in any way. Nothing goes sideways or upwards.
ARROWS: dict[str, set[str]] = {
    **{leaf: set() for leaf in LEAVES},
    "gateway": {"http1", "uwsgi"},
    "worker": {"gateway", *LEAVES},
    "supervisor": {"config", "http1", "observe", "sys"},
    "top": {"config", "supervisor", "sys"},
    "watch": {"observe", "sys"},
    "otlp": {"config", "observe", "sys"},
    "front": {"gateway", *LEAVES},
    "wsgi": {"gateway", "observe", "sys"},
    "native": {"supervisor", "top", "watch", "otlp", "front", "worker", "wsgi", "gateway", *LEAVES},
}

#: The crates that may know Python, and the one that may be async.
PYTHON = {"wsgi", "native"}
ASYNC = {"front"}

ASYNC_RUNTIMES = {
    "tokio",
    "async-std",
    "smol",
    "futures",
    "futures-util",
    "hyper",
    "mio-async",
    "glommio",
    "monoio",
}

#: What crates without I/O may use from outside, besides what their tests use.
PURE_MAY_USE = {
    "http1": {"httparse", "httpdate", "memchr"},
    "uwsgi": {"memchr"},
    "gateway": {"memchr"},
    "config": {"lexopt", "serde_json", "strsim", "toml"},
}


@lru_cache(maxsize=1)
def dependencies() -> dict[str, list[tuple[str, str]]]:
    """Each crate of ours (without the prefix) with the names and kinds of its direct dependencies."""
    command = [os.environ.get("CARGO", "cargo"), "metadata", "--no-deps", "--format-version", "1", "--locked"]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    return {
        package["name"].removeprefix("tapster-"): [
            (dependency["name"], dependency["kind"] or "normal") for dependency in package["dependencies"]
        ]
        for package in metadata["packages"]
    }


def test_every_crate_is_in_the_table() -> None:
    assert set(dependencies()) == set(ARROWS)


@pytest.mark.parametrize("crate", sorted(ARROWS))
def test_arrows_point_down(crate: str) -> None:
    used = {name.removeprefix("tapster-") for name, _ in dependencies()[crate] if name.startswith("tapster-")}
    assert used <= ARROWS[crate], f"tapster-{crate} may not use {sorted(used - ARROWS[crate])}"


@pytest.mark.parametrize("crate", sorted(ARROWS))
def test_only_the_python_room_knows_python(crate: str) -> None:
    if crate not in PYTHON:
        assert not [name for name, _ in dependencies()[crate] if name.startswith("pyo3")]


@pytest.mark.parametrize("crate", sorted(ARROWS))
def test_only_the_front_is_async(crate: str) -> None:
    if crate not in ASYNC:
        assert not [name for name, _ in dependencies()[crate] if name in ASYNC_RUNTIMES]


@pytest.mark.parametrize("crate", sorted(PURE_MAY_USE))
def test_pure_crates_use_little(crate: str) -> None:
    used = {
        name for name, kind in dependencies()[crate] if kind == "normal" and not name.startswith("tapster-")
    }
    assert used <= PURE_MAY_USE[crate], f"tapster-{crate} may not use {sorted(used - PURE_MAY_USE[crate])}"
