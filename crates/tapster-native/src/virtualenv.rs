//! `--virtualenv`: the server of that environment, or its packages (`tapster/_virtualenv.py`). Run before all else.

use std::path::Path;

use pyo3::prelude::*;

/// Enters the environment; where tapster is installed there, this process becomes that one.
///
/// # Errors
/// When it is none, or its Python is another one and has no tapster, in words for the operator.
pub(crate) fn enter(py: Python<'_>, directory: &Path, arguments: &[String]) -> Result<(), String> {
    let called = py
        .import("tapster._virtualenv")
        .and_then(|module| module.call_method1("enter", (directory.to_string_lossy(), arguments.to_vec())));
    called.map(drop).map_err(|error| error.value(py).to_string())
}
