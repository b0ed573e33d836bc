//! What the access log shows of a request because the application says so (`tapster.set_log_variable`), or because its format
//! asks for variables as they are at the end. Does nothing where no format asks.

use std::cell::RefCell;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use tapster_gateway::Request;
use tapster_observe::Log;

/// The most variables that one request may set, and the most bytes of one: a line shows less.
const MOST: usize = 32;
const LONGEST: usize = 1024;

/// Names and values, in order.
type Variables = Vec<(String, Vec<u8>)>;

thread_local! {
    /// What was said of the request that this thread answers; none while there is none, or nobody wants to know.
    static SAID: RefCell<Option<Variables>> = const { RefCell::new(None) };
}

/// Says something of the request that this thread answers. Anywhere else it does nothing.
pub fn set(name: &str, value: &str) {
    SAID.with_borrow_mut(|said| {
        let Some(said) = said else { return };
        let mut value = value.as_bytes().to_vec();
        value.truncate(LONGEST);
        if let Some((_, present)) = said.iter_mut().find(|(known, _)| known == name) {
            *present = value;
        } else if said.len() < MOST {
            said.push((name.chars().take(LONGEST).collect(), value));
        }
    });
}

/// A request begins.
pub(crate) fn begin(log: &Log) {
    if log.access_needs().log_variables {
        SAID.with_borrow_mut(|said| *said = Some(Vec::new()));
    }
}

/// It is over: what was said of it goes with it, and what the format asks for of its variables.
pub(crate) fn end(log: &Log, request: &mut Request, environ: &Bound<'_, PyDict>) {
    let needs = log.access_needs();
    if needs.log_variables {
        request.notes.said = SAID.with_borrow_mut(Option::take).unwrap_or_default();
    }
    request.notes.variables.clear();
    for name in &needs.variables {
        if let Some(value) = variable(environ, name) {
            request.notes.variables.push((name.clone(), value));
        }
    }
}

/// As text; what cannot be shown is not there.
fn variable(environ: &Bound<'_, PyDict>, name: &str) -> Option<Vec<u8>> {
    let value = environ.get_item(name).ok().flatten()?;
    let text = match value.cast_into::<PyString>() {
        Ok(text) => text,
        Err(other) => other.into_inner().str().ok()?,
    };
    // Bytes of the request are latin-1 in there (PEP 3333).
    let bytes = crate::ffi::latin1_bytes(&text).ok().flatten().map(<[u8]>::to_vec);
    let mut bytes = bytes.unwrap_or_else(|| text.to_string_lossy().into_owned().into_bytes());
    bytes.truncate(LONGEST);
    Some(bytes)
}
