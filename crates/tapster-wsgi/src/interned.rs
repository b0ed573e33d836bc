//! Keys of the environ that are made once: those of known variables, and of other request fields by name.

use std::collections::HashMap;

use pyo3::prelude::*;
use pyo3::types::PyString;
use tapster_gateway::Variable;

use crate::ffi;

/// How many names a thread remembers. It stops there and forgets none: a client that makes up names costs itself
/// time, and others nothing.
const NAMES: usize = 512;

/// The longest name that is remembered, in bytes.
const LONGEST: usize = 256;

/// The keys of all known variables.
pub(crate) struct Keys(Box<[Py<PyString>]>);

impl Keys {
    /// Interns them.
    pub(crate) fn new(py: Python<'_>) -> PyResult<Keys> {
        let key = |variable: &Variable| Ok(ffi::interned(py, variable.name().as_bytes())?.unbind());
        Ok(Keys(Variable::ALL.iter().map(key).collect::<PyResult<_>>()?))
    }

    /// The key of a variable.
    pub(crate) fn known<'py>(&self, py: Python<'py>, variable: Variable) -> &Bound<'py, PyString> {
        self.0[variable.index()].bind(py)
    }
}

/// A thread's memory of other names.
#[derive(Default)]
pub(crate) struct Names(HashMap<Box<[u8]>, Py<PyString>>);

impl Names {
    /// The key of a variable by its name.
    pub(crate) fn key<'py>(&mut self, py: Python<'py>, name: &[u8]) -> PyResult<Bound<'py, PyString>> {
        if let Some(key) = self.0.get(name) {
            return Ok(key.bind(py).clone());
        }
        if self.0.len() >= NAMES || name.len() > LONGEST {
            return ffi::latin1(py, name);
        }
        let key = ffi::interned(py, name)?;
        self.0.insert(name.into(), key.clone().unbind());
        Ok(key)
    }
}
