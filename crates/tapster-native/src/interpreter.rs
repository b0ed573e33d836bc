//! What this server has to know of the interpreter that it runs in: which one it is, and whether it has a lock that lets
//! one thread run at a time (PEP 703).

use pyo3::prelude::*;

/// The interpreter's name for people: `CPython 3.13.5`, or `CPython 3.13.5 free-threaded`.
pub(crate) fn name(py: Python<'_>) -> String {
    let version = py.version_info();
    let flags = py.import("sys").and_then(|sys| sys.getattr("abiflags")?.extract::<String>());
    let build = if flags.is_ok_and(|flags| flags.contains('t')) { " free-threaded" } else { "" };
    format!("CPython {}.{}.{}{build}", version.major, version.minor, version.patch)
}

/// How many threads of one of `workers` processes can run Python at the same moment: its share of the CPUs where there
/// is no lock, else 1. A free-threaded build has one too once an extension module asked for it, so this is asked when
/// the application is loaded.
pub(crate) fn parallelism(py: Python<'_>, workers: usize) -> usize {
    if has_lock(py).unwrap_or(true) { 1 } else { tapster_sys::cpu::usable_cpus().div_ceil(workers.max(1)) }
}

fn has_lock(py: Python<'_>) -> PyResult<bool> {
    match py.import("sys")?.getattr_opt("_is_gil_enabled")? {
        Some(is_enabled) => is_enabled.call0()?.extract(),
        None => Ok(true),
    }
}
