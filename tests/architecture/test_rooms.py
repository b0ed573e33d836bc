"""What the text of each crate may contain: no I/O in pure crates, unsafe code in two rooms, no async but in the front."""

from __future__ import annotations

import re

import pytest

from tests.architecture.sources import ROOT, crate_of, files, is_test, name, program

PURE = ("tapster-http1", "tapster-uwsgi", "tapster-gateway", "tapster-config")

#: The world: files, sockets, threads, processes, the environment, the clock. Types that only name things
#: (`IpAddr`, `Duration`, `BorrowedFd`, `PathBuf`) are no I/O.
WORLD = re.compile(
    r"\bstd::(?:fs|thread|process|env)\b|\bos::unix::net\b|\b(?:Tcp|Unix)(?:Stream|Listener)\b|\bU(?:dp|nix)(?:Socket|Datagram)\b"
    r"|\b(?:Instant|SystemTime)::now\b|\bstdin\(|\bstdout\(|\bstderr\(|\be?println!"
)

#: Where unsafe code may be. The crates that are not named here forbid it in their first lines; the macros of pyo3 expand
#: to unsafe code, so for these two the word is looked for instead.
UNSAFE_ROOMS = ("crates/tapster-sys/", "crates/tapster-wsgi/src/ffi.rs", "crates/tapster-wsgi/src/ffi/")
MACROS = ("tapster-sys", "tapster-wsgi", "tapster-native")

RUST = [path for path in files(".rs") if path.is_relative_to(ROOT / "crates")]
PROGRAM = [path for path in RUST if not is_test(path)]


def found(pattern: re.Pattern[str], text: str) -> list[str]:
    return sorted({match.group() for match in pattern.finditer(text)})


@pytest.mark.parametrize("crate", PURE)
def test_pure_crates_touch_no_world(crate: str) -> None:
    hits = {name(path): found(WORLD, program(path)) for path in PROGRAM if crate_of(path) == crate}
    assert not {path: words for path, words in hits.items() if words}


def test_unsafe_code_is_in_its_rooms() -> None:
    unsafe = re.compile(r"\bunsafe\b(?!_)")
    hits = [name(path) for path in RUST if unsafe.search(program(path))]
    assert not [path for path in hits if not path.startswith(UNSAFE_ROOMS)]


def test_all_other_crates_forbid_unsafe_code() -> None:
    heads = {
        path: path.read_text("utf-8") for path in RUST if path.name == "lib.rs" and path.parent.name == "src"
    }
    missing = [name(path) for path, text in heads.items() if "#![forbid(unsafe_code)]" not in text]
    assert not [
        path for path in missing if not path.startswith(tuple(f"crates/{crate}/" for crate in MACROS))
    ]


def test_nothing_is_async_but_the_front() -> None:
    spoken = re.compile(r"\basync\s+(?:fn|move|\{)|\.await\b")
    hits = [name(path) for path in RUST if crate_of(path) != "tapster-front" and spoken.search(program(path))]
    assert not hits


def test_only_the_python_room_names_pyo3() -> None:
    hits = {crate_of(path) for path in PROGRAM if re.search(r"\bpyo3\b", program(path))}
    assert hits <= {"tapster-wsgi", "tapster-native"}
