//! Strings that are made once: the keys of known variables, the names of other request fields, and values that are
//! the same from request to request.

use std::cell::RefCell;
use std::collections::HashMap;

use pyo3::prelude::*;
use pyo3::types::PyString;
use tapster_gateway::Variable;

use crate::ffi;

/// How many names a thread remembers. It stops there and forgets none: a client that makes up names costs itself
/// time, and others nothing.
const NAMES: usize = 512;

/// The longest name and value that are remembered, in bytes.
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

/// A thread's memory of names and values.
#[derive(Default)]
pub(crate) struct Cache {
    names: HashMap<Box<[u8]>, Py<PyString>>,
    /// By variable: its last value, if it is one that [`repeats`].
    values: Vec<Option<Py<PyString>>>,
}

thread_local! {
    static CACHE: RefCell<Cache> = RefCell::default();
}

/// Runs `work` with this thread's cache.
pub(crate) fn with<R>(work: impl FnOnce(&mut Cache) -> R) -> R {
    CACHE.with(|cache| match cache.try_borrow_mut() {
        Ok(mut cache) => work(&mut cache),
        // An object's finaliser has started a request inside of ours: it does without.
        Err(_) => work(&mut Cache::default()),
    })
}

impl Cache {
    /// The key of a variable that is not known by number.
    pub(crate) fn name<'py>(&mut self, py: Python<'py>, name: &[u8]) -> PyResult<Bound<'py, PyString>> {
        if let Some(key) = self.names.get(name) {
            return Ok(key.bind(py).clone());
        }
        if self.names.len() >= NAMES || name.len() > LONGEST {
            return ffi::latin1(py, name);
        }
        let key = ffi::interned(py, name)?;
        self.names.insert(name.into(), key.clone().unbind());
        Ok(key)
    }

    /// The value of a known variable: the last request's object if it says the same.
    pub(crate) fn value<'py>(
        &mut self,
        py: Python<'py>,
        variable: Variable,
        value: &[u8],
    ) -> PyResult<Bound<'py, PyString>> {
        if value.len() > LONGEST || !repeats(variable) {
            return ffi::latin1(py, value);
        }
        if self.values.is_empty() {
            self.values.resize_with(Variable::COUNT, || None);
        }
        let last = &mut self.values[variable.index()];
        if let Some(last) = last
            && ffi::latin1_bytes(last.bind(py))? == Some(value)
        {
            return Ok(last.bind(py).clone());
        }
        let fresh = ffi::latin1(py, value)?;
        *last = Some(fresh.clone().unbind());
        Ok(fresh)
    }
}

/// Whether a variable often has the value it had before. Those that tell clients apart or carry secrets are not kept.
const fn repeats(variable: Variable) -> bool {
    use Variable::*;
    matches!(
        variable,
        RequestMethod
            | ScriptName
            | PathInfo
            | QueryString
            | RequestUri
            | RawUri
            | ServerProtocol
            | ServerName
            | ServerPort
            | RemoteAddr
            | DocumentRoot
            | RequestScheme
            | Https
            | ContentType
            | HttpHost
            | HttpUserAgent
            | HttpAccept
            | HttpAcceptEncoding
            | HttpAcceptLanguage
            | HttpCacheControl
            | HttpConnection
            | HttpOrigin
            | HttpPragma
            | HttpSecFetchDest
            | HttpSecFetchMode
            | HttpSecFetchSite
            | HttpUpgradeInsecureRequests
            | HttpVia
            | HttpXForwardedHost
            | HttpXForwardedPort
            | HttpXForwardedProto
    )
}
