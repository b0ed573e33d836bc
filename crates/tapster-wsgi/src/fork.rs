//! fork(2) of a process that runs Python, with CPython's own hooks, so that its locks and the callbacks of
//! `os.register_at_fork` are right on both sides. Run by the supervisor and by templates, through `tapster-native`.

use std::io;

use pyo3::prelude::*;
use tapster_sys::fork::{Forked, Side, SingleThreaded, fork};
use tapster_sys::process::Pid;

use crate::ffi;

/// Forks as `os.fork()` does. Attaches to the interpreter for it.
///
/// # Errors
/// When the process has other threads, by name (a `before` callback may have stopped some: they are counted after it),
/// and when the system refuses. The `after_in_parent` callbacks have run then too.
pub fn fork_with_python_hooks() -> io::Result<Forked> {
    Python::attach(|py| {
        ffi::before_fork(py);
        let forked = SingleThreaded::prove().and_then(fork);
        match forked {
            Ok(Forked::Child) => ffi::after_fork_in_child(py),
            Ok(Forked::Parent(_)) | Err(_) => ffi::after_fork_in_parent(py),
        }
        forked
    })
}

/// Forks a process that becomes the child of another one, as `tapster_sys::fork::fork_orphan` says. The callbacks of the
/// application run in this process and in the new one, and not in the one between.
///
/// No other Python thread may run; the caller has seen to it. Native threads of libraries are on the operator's account.
///
/// # Errors
/// When the system refuses. The `after_in_parent` callbacks have run then too.
pub fn fork_orphan_with_python_hooks(announce: &dyn Fn(Pid)) -> io::Result<Side> {
    Python::attach(|py| {
        ffi::before_fork(py);
        let side = ffi::fork_orphan(py, announce);
        match side {
            Ok(Side::Orphan) => ffi::after_fork_in_child(py),
            Ok(Side::Origin) | Err(_) => ffi::after_fork_in_parent(py),
        }
        side
    })
}
