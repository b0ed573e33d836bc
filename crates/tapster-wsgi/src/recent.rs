//! Strings that come again and again, though not in one request after the other: who the clients are. A worker talks to
//! many at a time, and each of them sends many requests.

use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::ffi;

/// How many strings a thread remembers: about as many as clients that are active at a time. A power of two.
const STRINGS: usize = 128;

/// The longest string that is remembered, in bytes: an IPv6 address.
const LONGEST: usize = 45;

/// A thread's memory of such strings.
#[derive(Default)]
pub(crate) struct Recent(Vec<Option<Py<PyString>>>);

impl Recent {
    /// The string of some latin-1 bytes.
    pub(crate) fn string<'py>(&mut self, py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyString>> {
        if bytes.len() > LONGEST {
            return ffi::latin1(py, bytes);
        }
        if self.0.is_empty() {
            self.0.resize_with(STRINGS, || None);
        }
        // The low digits of ports and addresses tell clients apart.
        let slot = bytes.iter().fold(0_usize, |hash, &byte| hash.wrapping_mul(31).wrapping_add(byte.into()))
            % STRINGS;
        let place = &mut self.0[slot];
        if let Some(string) = place {
            let string = string.bind(py);
            if ffi::latin1_bytes(string)? == Some(bytes) {
                return Ok(string.clone());
            }
        }
        let string = ffi::latin1(py, bytes)?;
        *place = Some(string.clone().unbind());
        Ok(string)
    }
}
