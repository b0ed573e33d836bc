//! The environ of a thread's earlier request, kept so that a similar one is a copy with a few values changed: clients
//! that stay connected, and proxies, send the same fields in the same order again and again. It is half the time
//! that an environ takes otherwise.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use tapster_gateway::{Name, Variable, Vars};

use crate::ffi;

/// The longest value that is kept, in bytes.
const LONGEST: usize = 256;

/// A dict with all variables of a request, and what they were.
pub(crate) struct Previous {
    /// What it was copied from: each application has its own.
    template: Py<PyDict>,
    dict: Py<PyDict>,
    entries: Vec<Entry>,
}

struct Entry {
    variable: Option<Variable>,
    /// The name of a variable that is not known by number.
    name: Box<[u8]>,
    key: Py<PyString>,
    /// The value in the dict; none where the dict has only an empty string to hold the place.
    value: Option<Vec<u8>>,
}

impl Previous {
    /// Begins with a copy of an application's template.
    pub(crate) fn new(template: &Bound<'_, PyDict>) -> PyResult<Previous> {
        let dict = template.copy()?.unbind();
        Ok(Previous { template: template.clone().unbind(), dict, entries: Vec::new() })
    }

    /// Adds a variable. Its value is learnt from the first similar request.
    pub(crate) fn add(&mut self, name: Name<'_>, key: &Bound<'_, PyString>) -> PyResult<()> {
        let (variable, name) = match name {
            Name::Known(variable) => (Some(variable), Box::default()),
            Name::Other(name) => (None, name.into()),
        };
        self.dict.bind(key.py()).set_item(key, intern!(key.py(), ""))?;
        self.entries.push(Entry { variable, name, key: key.clone().unbind(), value: None });
        Ok(())
    }

    /// Whether a request to the same application has the same variables in the same order.
    pub(crate) fn resembles(&self, template: &Py<PyDict>, vars: &Vars) -> bool {
        self.template.is(template)
            && self.entries.len() == vars.len()
            && self.entries.iter().zip(vars.iter()).all(|(entry, (name, _))| entry.is(name))
    }

    /// The environ of a request that [`resembles`](Self::resembles) it: every value in it is this request's.
    pub(crate) fn environ<'py>(&mut self, py: Python<'py>, vars: &Vars) -> PyResult<Bound<'py, PyDict>> {
        let own = self.dict.bind(py);
        let dict = own.copy()?;
        for (entry, (_, value)) in self.entries.iter_mut().zip(vars.iter()) {
            if entry.value.as_deref() == Some(value) {
                continue;
            }
            let fresh = ffi::latin1(py, value)?;
            dict.set_item(&entry.key, &fresh)?;
            if value.len() <= LONGEST && entry.variable.is_some_and(repeats) {
                entry.keep(own, value, &fresh)?;
            }
        }
        Ok(dict)
    }
}

impl Entry {
    /// Keeps a value for the next request. Without one until it is in the dict, so that the two never disagree.
    fn keep(&mut self, dict: &Bound<'_, PyDict>, value: &[u8], object: &Bound<'_, PyString>) -> PyResult<()> {
        let mut kept = self.value.take().unwrap_or_default();
        dict.set_item(&self.key, object)?;
        kept.clear();
        kept.extend_from_slice(value);
        self.value = Some(kept);
        Ok(())
    }

    fn is(&self, name: Name<'_>) -> bool {
        match (self.variable, name) {
            (Some(own), Name::Known(other)) => own == other,
            (None, Name::Other(name)) => *self.name == *name,
            _ => false,
        }
    }
}

/// Whether a variable often has the value it had before. Those that tell clients apart, or carry secrets, are not kept.
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
            | HttpAcceptCharset
            | HttpCacheControl
            | HttpConnection
            | HttpDnt
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
