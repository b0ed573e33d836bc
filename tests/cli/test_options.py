"""What the command prints: help, version, configuration, and what is wrong with an option."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.server import command, environment, run

if TYPE_CHECKING:
    from pathlib import Path

USAGE_ERROR = 2


def test_help_is_grouped_and_fits_a_terminal() -> None:
    ended = run("--help")
    assert ended.returncode == 0
    assert ended.stdout.startswith("Usage: tapster [APP]")
    for word in ("--bind", "--workers", "--threads", "--chdir", "--env", "--log-level", "--access-log"):
        assert word in ended.stdout, word
    assert max(map(len, ended.stdout.splitlines())) <= 80
    assert len(re.findall(r"^\w.*:$", ended.stdout, re.MULTILINE)) >= 4, "groups"
    assert ended.stderr == ""


def test_help_all_has_every_option_of_the_reference() -> None:
    ended = run("--help-all")
    for word in ("--pythonpath", "--graceful-timeout", "--uwsgi-allow-from", "--head-timeout", "--max-body"):
        assert word in ended.stdout, word


@pytest.mark.parametrize("arguments", [("-h",), ("help",), ("some:app", "--help")])
def test_other_ways_to_ask_for_help(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).stdout == run("--help").stdout


def test_version() -> None:
    ended = run("--version")
    assert ended.returncode == 0
    assert re.fullmatch(r"tapster \d+\.\d+\.\d+\S*\n", ended.stdout)


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (("--wrokers", "2"), "--wrokers", "--workers"),
        (("--thread", "2"), "--thread", "--threads"),
        (("--bindd=:8000",), "--bindd", "--bind"),
        (("-x",), "-x", ""),
        (("--workers",), "--workers needs a value", "auto"),
        (("--workers", "many"), "--workers", "auto"),
        (("--workers", "0"), "--workers", ""),
        (("--threads", "0"), "--threads", ""),
        (("--threads", "-1"), "--threads", ""),
        (("--threads", "1.5"), "--threads", ""),
        (("--log-level", "loud"), "--log-level", "debug"),
        (("--access-log", "maybe"), "--access-log", "auto"),
        (("--graceful-timeout", "soon"), "--graceful-timeout", "30s"),
        (("--max-body", "lots"), "--max-body", ""),
        (("--socket-mode", "999"), "--socket-mode", ""),
        (("--env", "NOVALUE"), "--env", "NAME=VALUE"),
        (("--bind", "8000"), "8000", ":8000"),
        (("--bind", "localhost:99999"), "99999", "65535"),
        (("--bind", "::1:8000"), "::1:8000", "[::1]:8000"),
        (("--bind", "/run/app.sock"), "/run/app.sock", "unix:/run/app.sock"),
        (("--bind", "http://127.0.0.1:8000"), "http://", "127.0.0.1:8000"),
        (("--bind", "unix:"), "unix:", "unix:/"),
        (("--bind", "fd://3x"), "fd://3x", "fd://web"),
        (("--forwarded-allow-ips", "10.0.0.0/99"), "--forwarded-allow-ips", ""),
        (("--help=yes",), "--help", ""),
        (("one:app", "two:app"), "two:app", ""),
        (("--config", "/nowhere/tapster.toml"), "/nowhere/tapster.toml", ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
)
def test_a_mistake_is_named_with_the_way_out(arguments: tuple[str, ...], message: str, hint: str) -> None:
    ended = run(*arguments)
    assert ended.returncode == USAGE_ERROR
    assert ended.stdout == ""
    assert ended.stderr.startswith("tapster: error: ")
    assert message in ended.stderr
    assert hint in ended.stderr
    assert "Traceback" not in ended.stderr


def test_config_show_names_each_origin(tmp_path: Path) -> None:
    (tmp_path / "tapster.toml").write_text('threads = 8\nworkers = 2\nlog-level = "debug"\n')
    shown = run(
        "config",
        "show",
        "some:app",
        "--log-level",
        "error",
        cwd=tmp_path,
        env={"TAPSTER_WORKERS": "3", "PORT": "8123"},
    )
    assert shown.returncode == 0, shown.stderr
    rows = {line.split()[0]: line for line in shown.stdout.splitlines()}
    assert re.search(r"threads +8 .*tapster\.toml", rows["threads"])
    assert re.search(r"workers +3 .*TAPSTER_WORKERS", rows["workers"])
    assert re.search(r"log-level +error .*--log-level", rows["log-level"])
    assert re.search(r"bind +0\.0\.0\.0:8123 .*PORT", rows["bind"])
    assert re.search(r"keep-alive +75s .*default", rows["keep-alive"])


def test_an_unknown_key_in_the_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "tapster.toml").write_text("threads = 2\ntreads = 8\n")
    ended = run("some:app", cwd=tmp_path)
    assert ended.returncode == USAGE_ERROR
    assert "tapster.toml:2" in ended.stderr
    assert "threads" in ended.stderr


def test_an_unknown_variable_is_an_error() -> None:
    ended = run("config", "show", env={"TAPSTER_TREADS": "8"})
    assert ended.returncode == USAGE_ERROR
    assert "TAPSTER_TREADS" in ended.stderr
    assert "TAPSTER_THREADS" in ended.stderr


def test_help_into_a_closed_pipe_is_no_failure() -> None:
    """`tapster --help | head -1`."""
    child = subprocess.Popen(
        [*command(), "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()
    assert child.stderr.read() == b""
    child.stderr.close()
    child.wait(10)
