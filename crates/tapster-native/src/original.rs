//! How this server was started, for starting it again as something newer: its command, its directory by name, its
//! environment, what its host grants it. Noted in the process that becomes the supervisor, before anything changes them.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use pyo3::prelude::*;
use tapster_sys::exec::Program;
use tapster_sys::open_files::Limits;
use tapster_sys::process::{self, Pid};
use tapster_sys::signal::{self, Signal};

/// Variables for one process alone, which the next one finds without the number of that process.
const OWN_PID: [&str; 1] = ["WATCHDOG_PID"];

/// What the host granted, and options change.
#[derive(Clone, Copy)]
pub(crate) struct Granted {
    umask: u32,
    open_files: Limits,
}

impl Granted {
    /// As it is now.
    pub(crate) fn now() -> Granted {
        Granted { umask: process::umask(), open_files: Limits::now() }
    }
}

/// The program that this process was started as; none when the system does not tell.
pub(crate) fn program(py: Python<'_>, directory: PathBuf, granted: Granted) -> Option<Program> {
    let arguments = arguments(py)?;
    let (file, arguments) = command(py, &directory, arguments)?;
    let own_pid = OsString::from(Pid::current().to_string());
    let is_stale = |name: &OsStr, value: &OsStr| OWN_PID.iter().any(|own| name == *own) && value == own_pid;
    let environment = std::env::vars_os().filter(|(name, value)| !is_stale(name, value)).collect();
    let ignored = Signal::CATCHABLE.into_iter().filter(|signal| signal::is_ignored(*signal)).collect();
    let Granted { umask, open_files } = granted;
    Some(Program { file, arguments, environment, directory, umask, open_files, ignored })
}

/// The command line as the system has it, or else as Python does (from 3.10).
fn arguments(py: Python<'_>) -> Option<Vec<OsString>> {
    let text = std::fs::read("/proc/self/cmdline").unwrap_or_default();
    let arguments: Vec<_> = text
        .strip_suffix(b"\0")
        .map(|text| text.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec())).collect())
        .unwrap_or_default();
    if !arguments.is_empty() {
        return Some(arguments);
    }
    py.import("sys").and_then(|sys| sys.getattr("orig_argv")?.extract()).ok()
}

/// What to execute: the script when this process began as one, so that its first line chooses the interpreter anew, else
/// the interpreter.
fn command(
    py: Python<'_>,
    directory: &Path,
    mut arguments: Vec<OsString>,
) -> Option<(PathBuf, Vec<OsString>)> {
    if let Some(place) = script(directory, &arguments) {
        let arguments = arguments.split_off(place);
        return Some((PathBuf::from(&arguments[0]), arguments));
    }
    let interpreter = find(directory, &arguments[0]).or_else(|| {
        // A first word that is no path, as `exec -a` makes it.
        py.import("sys").and_then(|sys| sys.getattr("executable")?.extract()).ok()
    })?;
    Some((interpreter, arguments))
}

/// Which of the words is the script that the system executed by its first line (`#!`): `python3 /venv/bin/tapster app`
/// then was `/venv/bin/tapster app`, or might have been.
fn script(directory: &Path, arguments: &[OsString]) -> Option<usize> {
    // `#!` passes one argument at most to the interpreter.
    (1..arguments.len().min(3)).find(|place| {
        let path = directory.join(&arguments[*place]);
        is_program(&path) && names(&path, &arguments[0]).unwrap_or(false)
    })
}

/// Whether a script names the interpreter in its first two lines. Installers write a path that is too long for `#!` into
/// a second line, behind `exec`.
fn names(script: &Path, interpreter: &OsStr) -> Option<bool> {
    let mut lines = BufReader::new(std::fs::File::open(script).ok()?.take(4096));
    let mut head = Vec::new();
    for _ in 0..2 {
        lines.read_until(b'\n', &mut head).ok()?;
    }
    let interpreter = interpreter.as_encoded_bytes();
    let is_whole = |bytes: &[u8]| {
        let around = |byte: Option<&u8>| byte.is_none_or(|byte| b" \t\r\n\"'!".contains(byte));
        bytes.windows(interpreter.len()).enumerate().any(|(place, found)| {
            let before = place.checked_sub(1).and_then(|place| bytes.get(place));
            found == interpreter && around(before) && around(bytes.get(place + interpreter.len()))
        })
    };
    Some(head.starts_with(b"#!") && interpreter.starts_with(b"/") && is_whole(&head))
}

/// The file of a command: a path, or a name that `PATH` finds.
fn find(directory: &Path, command: &OsStr) -> Option<PathBuf> {
    if command.as_encoded_bytes().contains(&b'/') {
        return Some(PathBuf::from(command)).filter(|path| is_program(&directory.join(path)));
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| directory.join(folder).join(command))
        .find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
