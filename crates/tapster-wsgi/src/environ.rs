//! CGI variables to the `environ` dict (PEP 3333 "environ Variables"). A template holds what is the same for every
//! request; each request copies it and sets its own.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use tapster_gateway::{Body, Name, Request, Scheme, Variable};

use crate::errors_stream::ErrorsStream;
use crate::ffi;
use crate::file_wrapper::FileWrapper;
use crate::input::Input;
use crate::interned::{self, Keys};

/// `SERVER_SOFTWARE`: what runs the application (RFC 3875 §4.1.17). Never sent to a client.
const SOFTWARE: &str = concat!("tapster/", env!("CARGO_PKG_VERSION"));

/// Keys that are put in and taken out again so that the template's table, and with it every copy, has room for some
/// forty variables before it must grow.
const PADDING: usize = 24;

/// What every environ of an application holds.
pub(crate) struct Template {
    dict: Py<PyDict>,
    keys: Keys,
    https: Py<PyString>,
}

/// The environ of one request, and the body in it that must not outlive the request.
pub(crate) struct Environ<'py> {
    pub(crate) dict: Bound<'py, PyDict>,
    input: Option<Bound<'py, Input>>,
}

impl Template {
    /// The template of an application.
    pub(crate) fn new(py: Python<'_>, multithread: bool, multiprocess: bool) -> PyResult<Template> {
        let keys = Keys::new(py)?;
        let dict = PyDict::new(py);
        for number in 0..PADDING {
            dict.set_item(format!("tapster.padding.{number}"), py.None())?;
        }
        for (variable, value) in REQUIRED {
            dict.set_item(keys.known(py, *variable), PyString::intern(py, value))?;
        }
        dict.set_item(PyString::intern(py, "SERVER_SOFTWARE"), SOFTWARE)?;
        dict.set_item(intern!(py, "wsgi.version"), (1, 0))?;
        dict.set_item(intern!(py, "wsgi.url_scheme"), PyString::intern(py, Scheme::Http.as_str()))?;
        dict.set_item(intern!(py, "wsgi.input"), Bound::new(py, Input::empty())?)?;
        dict.set_item(intern!(py, "wsgi.errors"), Bound::new(py, ErrorsStream)?)?;
        dict.set_item(intern!(py, "wsgi.multithread"), multithread)?;
        dict.set_item(intern!(py, "wsgi.multiprocess"), multiprocess)?;
        dict.set_item(intern!(py, "wsgi.run_once"), false)?;
        dict.set_item(intern!(py, "wsgi.input_terminated"), true)?;
        dict.set_item(intern!(py, "wsgi.file_wrapper"), py.get_type::<FileWrapper>())?;
        for number in 0..PADDING {
            dict.del_item(format!("tapster.padding.{number}"))?;
        }
        let https = PyString::intern(py, Scheme::Https.as_str()).unbind();
        Ok(Template { dict: dict.unbind(), keys, https })
    }

    /// The environ of a request. Takes the body out of it; [`Environ::end`] puts its memory back.
    pub(crate) fn environ<'py>(&self, py: Python<'py>, request: &mut Request) -> PyResult<Environ<'py>> {
        let dict = self.dict.bind(py).copy()?;
        self.set_variables(&dict, request)?;
        if request.scheme == Scheme::Https {
            dict.set_item(intern!(py, "wsgi.url_scheme"), &self.https)?;
        }
        let input = match std::mem::take(&mut request.body) {
            Body::Empty => None,
            body => Some(self.set_body(&dict, body, request)?),
        };
        Ok(Environ { dict, input })
    }

    fn set_variables(&self, dict: &Bound<'_, PyDict>, request: &Request) -> PyResult<()> {
        let py = dict.py();
        interned::with(|cache| {
            for (name, value) in request.vars.iter() {
                match name {
                    Name::Known(variable) => {
                        dict.set_item(self.keys.known(py, variable), cache.value(py, variable, value)?)?;
                    }
                    // A protocol's variables never replace what this server says of itself.
                    Name::Other(name) if name.starts_with(b"wsgi.") => {}
                    Name::Other(name) => dict.set_item(cache.name(py, name)?, ffi::latin1(py, value)?)?,
                }
            }
            Ok(())
        })
    }

    /// A body, and its length: it is known, because a request comes complete, also when the client sent it chunked.
    fn set_body<'py>(
        &self,
        dict: &Bound<'py, PyDict>,
        body: Body,
        request: &Request,
    ) -> PyResult<Bound<'py, Input>> {
        let py = dict.py();
        if request.vars.get(Variable::ContentLength).is_none() {
            dict.set_item(self.keys.known(py, Variable::ContentLength), body.len().to_string())?;
        }
        let input = Bound::new(py, Input::new(body))?;
        dict.set_item(intern!(py, "wsgi.input"), &input)?;
        Ok(input)
    }
}

impl Environ<'_> {
    /// The request is over: its input reads no more, and the memory goes back for the next request's body.
    pub(crate) fn end(self, request: &mut Request) {
        if let Some(input) = &self.input {
            request.body = input.get().end(input.py());
        }
    }
}

/// Variables that PEP 3333 wants in every environ. The protocols set them; these are what CGI gives for absent ones.
const REQUIRED: &[(Variable, &str)] = &[
    (Variable::RequestMethod, "GET"),
    (Variable::ScriptName, ""),
    (Variable::PathInfo, ""),
    (Variable::QueryString, ""),
    (Variable::RequestUri, ""),
    (Variable::RawUri, ""),
    (Variable::ServerProtocol, "HTTP/1.1"),
    (Variable::ServerName, "localhost"),
    (Variable::ServerPort, "80"),
    (Variable::RemoteAddr, ""),
];
