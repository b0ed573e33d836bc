//! The environ of a thread's earlier request, kept so that a similar one is a copy with a few values changed: clients
//! that stay connected, and proxies, send the same fields in the same order again and again. It is half the time
//! that an environ takes otherwise.

use std::ops::Range;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use tapster_gateway::{Layout, Name, Variable, Vars};

use crate::ffi;
use crate::recent::Recent;

/// The longest value that is kept, in bytes.
const LONGEST: usize = 256;

/// A dict with all variables of a request, and what they were.
pub(crate) struct Previous {
    /// What it was copied from: each application has its own.
    template: Py<PyDict>,
    dict: Py<PyDict>,
    layout: Layout,
    entries: Vec<Entry>,
    text: Kept,
    recent: Recent,
}

struct Entry {
    key: Py<PyString>,
    repeats: bool,
    /// Whether it tells who the client is.
    is_client: bool,
    /// Where the value in the dict stands in the text; none where the dict has only an empty string to hold the place.
    value: Option<Place>,
}

impl Previous {
    /// Begins with this thread's copy of an application's template, for requests with the variables that `vars` has.
    pub(crate) fn new(template: &Py<PyDict>, copy: Bound<'_, PyDict>, vars: &Vars) -> Previous {
        let (template, dict) = (template.clone_ref(copy.py()), copy.unbind());
        let (layout, entries) = (Layout::of(vars), Vec::with_capacity(vars.len()));
        Previous { template, dict, layout, entries, text: Kept::default(), recent: Recent::default() }
    }

    /// Adds the next variable. Its value is learnt from the first similar request.
    pub(crate) fn add(&mut self, name: Name<'_>, key: &Bound<'_, PyString>) -> PyResult<()> {
        self.dict.bind(key.py()).set_item(key, intern!(key.py(), ""))?;
        let repeats = matches!(name, Name::Known(variable) if repeats(variable));
        let is_client = matches!(name, Name::Known(Variable::RemoteAddr | Variable::RemotePort));
        self.entries.push(Entry { key: key.clone().unbind(), repeats, is_client, value: None });
        Ok(())
    }

    /// Whether a request to the same application has the same variables in the same order.
    pub(crate) fn resembles(&self, template: &Py<PyDict>, vars: &Vars) -> bool {
        self.template.is(template) && self.layout.fits(vars)
    }

    /// The environ of a request that [`resembles`](Self::resembles) it: every value in it is this request's.
    pub(crate) fn environ<'py>(&mut self, py: Python<'py>, vars: &Vars) -> PyResult<Bound<'py, PyDict>> {
        let own = self.dict.bind(py);
        let dict = own.copy()?;
        // Variables with one value often share its bytes, one after the other: then they share a string, too.
        let mut last: Option<(&[u8], Bound<'py, PyString>)> = None;
        for (entry, value) in self.entries.iter_mut().zip(vars.values()) {
            if entry.value.as_ref().is_some_and(|place| self.text.holds(place, value)) {
                continue;
            }
            let fresh = match last.take().filter(|(bytes, _)| std::ptr::eq(*bytes, value)) {
                Some((_, string)) => string,
                None if entry.is_client => self.recent.string(py, value)?,
                None => ffi::latin1(py, value)?,
            };
            dict.set_item(&entry.key, &fresh)?;
            if entry.repeats && value.len() <= LONGEST {
                // Without a value until the new one is in the dict, so that the two never disagree.
                let place = entry.value.take();
                own.set_item(&entry.key, &fresh)?;
                entry.value = Some(self.text.keep(place, value));
            }
            last = Some((value, fresh));
        }
        Ok(dict)
    }
}

/// The values that are kept, side by side: comparing a request with them touches little memory.
#[derive(Default)]
struct Kept(Vec<u8>);

/// Where a value stands, and how much room it has for another.
struct Place {
    range: Range<usize>,
    room: usize,
}

impl Kept {
    fn holds(&self, place: &Place, value: &[u8]) -> bool {
        self.0.get(place.range.clone()) == Some(value)
    }

    /// Keeps a value, where the former one stood if there is room. What is outgrown stays unused: room grows by
    /// doubling, so that is never more than what is in use.
    fn keep(&mut self, former: Option<Place>, value: &[u8]) -> Place {
        let place = former.filter(|place| place.room >= value.len());
        let (start, room) =
            place.map_or_else(|| self.grow(value.len()), |place| (place.range.start, place.room));
        let range = start..start + value.len();
        self.0[range.clone()].copy_from_slice(value);
        Place { range, room }
    }

    fn grow(&mut self, length: usize) -> (usize, usize) {
        let (start, room) = (self.0.len(), length.next_power_of_two().max(16));
        self.0.resize(start + room, 0);
        (start, room)
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
