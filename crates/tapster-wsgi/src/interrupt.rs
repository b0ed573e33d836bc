//! Ends what the application does in a thread: raises `tapster.RequestTimeout` there, and takes it back when it comes too
//! late. Both are done with the interpreter's lock held and under the request's own lock, so that it never reaches the next
//! request.

use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::ffi;

/// The exception, kept at hand.
pub(crate) struct Interrupter {
    exception: Py<PyType>,
}

impl Interrupter {
    /// Imports the exception, while that can be done.
    pub(crate) fn new(py: Python<'_>) -> PyResult<Interrupter> {
        let exception = py.import("tapster")?.getattr("RequestTimeout")?.cast_into::<PyType>()?;
        Ok(Interrupter { exception: exception.unbind() })
    }

    /// Waits for the interpreter's lock and raises the exception in a thread, if `claim` calls for it.
    pub(crate) fn interrupt(&self, ident: u64, claim: &dyn Fn(&mut dyn FnMut())) {
        Python::attach(|py| claim(&mut || ffi::raise_in_thread(ident, self.exception.bind(py))));
    }

    /// Takes back what was raised in the calling thread and has not arrived.
    pub(crate) fn take_back(py: Python<'_>) {
        ffi::take_back_raised(py, tapster_sys::thread::ident());
    }

    /// Whether an error is that exception.
    pub(crate) fn is_cause(&self, py: Python<'_>, error: &PyErr) -> bool {
        error.is_instance(py, self.exception.bind(py))
    }
}
