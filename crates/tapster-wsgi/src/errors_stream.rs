//! `wsgi.errors`: the worker's `sys.stderr` of the moment, as PEP 3333 "Input and Error Streams" wants it.

use pyo3::intern;
use pyo3::prelude::*;

/// A text stream that stands for `sys.stderr`, also after the application has replaced that.
#[pyclass(frozen, module = "tapster", name = "ErrorsStream")]
pub(crate) struct ErrorsStream;

#[pymethods]
impl ErrorsStream {
    fn write<'py>(&self, text: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        stderr(text.py())?.call_method1(intern!(text.py(), "write"), (text,))
    }

    fn writelines(&self, lines: &Bound<'_, PyAny>) -> PyResult<()> {
        stderr(lines.py())?.call_method1(intern!(lines.py(), "writelines"), (lines,)).map(drop)
    }

    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        stderr(py)?.call_method0(intern!(py, "flush")).map(drop)
    }

    /// All else that a stream has: `encoding`, `isatty()`, `fileno()`.
    fn __getattr__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        stderr(py)?.getattr(name)
    }
}

fn stderr(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let sys = py.import(intern!(py, "sys"))?;
    let stream = sys.getattr(intern!(py, "stderr"))?;
    // None where descriptor 2 was closed before Python started.
    if stream.is_none() { sys.getattr(intern!(py, "__stderr__")) } else { Ok(stream) }
}
