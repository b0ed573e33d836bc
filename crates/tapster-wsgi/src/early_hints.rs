//! `wsgi.early_hints`: `environ["wsgi.early_hints"]([("Link", "</style.css>; rel=preload; as=style")])` sends a 103
//! (RFC 8297) while the application still works on its answer. The name and the form are gunicorn's.

use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};
use tapster_gateway::ResponseHead;

use crate::ffi;
use crate::start_response::type_name;

/// The callable; one for all requests, because it speaks for the one that its thread runs.
#[pyclass(frozen, module = "tapster", name = "EarlyHints")]
pub(crate) struct EarlyHints;

#[pymethods]
impl EarlyHints {
    /// Sends the fields, each a (name, value) pair of str or bytes, as one interim answer. To whoever may not know such
    /// a thing (HTTP/1.0, uwsgi, most proxies) it sends nothing, but checks the fields all the same.
    fn __call__(&self, headers: &Bound<'_, PyAny>) -> PyResult<()> {
        if headers.is_instance_of::<PyDict>() {
            return Err(PyTypeError::new_err(
                "early hints are (name, value) tuples: pass list(headers.items())",
            ));
        }
        let mut head = ResponseHead::default();
        head.begin_early_hints();
        let mut count = 0;
        for item in headers.try_iter()? {
            add(&mut head, count, &item?)?;
            count += 1;
        }
        if count == 0 {
            return Ok(());
        }
        match ffi::with_lent(|respond| respond.early_hints(&head)) {
            Some(true) => Ok(()),
            Some(false) => Err(PyRuntimeError::new_err("early hints after the answer's head was sent")),
            None => Err(PyRuntimeError::new_err(
                "early hints from another thread than the one that runs the request, or after its end",
            )),
        }
    }
}

fn add(head: &mut ResponseHead, index: usize, item: &Bound<'_, PyAny>) -> PyResult<()> {
    let pair = item.cast::<PyTuple>().ok().filter(|pair| pair.len() == 2).ok_or_else(|| {
        let kind = type_name(item);
        PyTypeError::new_err(format!("early hints [{index}] must be a (name, value) tuple, not {kind}"))
    })?;
    let (name, value) = (pair.get_item(0)?, pair.get_item(1)?);
    head.field(text(&name, index)?, text(&value, index)?)
        .map_err(|error| PyValueError::new_err(format!("early hints [{index}]: {error}")))
}

/// The bytes of a str, as latin-1, or of a bytes object.
fn text<'a>(object: &'a Bound<'_, PyAny>, index: usize) -> PyResult<&'a [u8]> {
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(bytes.as_bytes());
    }
    let text = object.cast::<PyString>().map_err(|_| {
        let kind = type_name(object);
        PyTypeError::new_err(format!(
            "name and value in early hints [{index}] must be str or bytes, not {kind}"
        ))
    })?;
    ffi::latin1_bytes(text)?.ok_or_else(|| {
        PyValueError::new_err(format!("early hints [{index}] have a character outside latin-1"))
    })
}
