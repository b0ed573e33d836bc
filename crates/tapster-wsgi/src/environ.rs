//! CGI variables to the `environ` dict (PEP 3333 "environ Variables"). A template holds what is the same for every
//! request; each request copies it and sets its own.

use std::cell::RefCell;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use tapster_gateway::{Name, Request, Scheme, Variable, Vars};

use crate::early_hints::EarlyHints;
use crate::errors_stream::ErrorsStream;
use crate::ffi;
use crate::file_wrapper::FileWrapper;
use crate::input::Input;
use crate::interned::{Keys, Names};
use crate::previous::Previous;

/// `SERVER_SOFTWARE`: what runs the application (RFC 3875 §4.1.17). Never sent to a client.
const SOFTWARE: &str = concat!("tapster/", env!("CARGO_PKG_VERSION"));

/// How many keys make CPython give a dict a table with room for 42.
const ROOMY: usize = 22;

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
        for (variable, value) in REQUIRED {
            dict.set_item(keys.known(py, *variable), PyString::intern(py, value))?;
        }
        dict.set_item(intern!(py, "wsgi.url_scheme"), PyString::intern(py, Scheme::Http.as_str()))?;
        dict.set_item(intern!(py, "wsgi.multithread"), multithread)?;
        dict.set_item(intern!(py, "wsgi.multiprocess"), multiprocess)?;
        dict.set_item(intern!(py, "wsgi.run_once"), false)?;
        dict.set_item(intern!(py, "wsgi.input_terminated"), true)?;
        dict.set_item(intern!(py, "wsgi.file_wrapper"), py.get_type::<FileWrapper>())?;
        set_objects(&dict)?;
        make_roomy(&dict)?;
        let https = PyString::intern(py, Scheme::Https.as_str()).unbind();
        Ok(Template { dict: dict.unbind(), keys, https })
    }

    /// The environ of a request. Takes the body out of it; [`Environ::end`] puts its memory back.
    pub(crate) fn environ<'py>(&self, py: Python<'py>, request: &mut Request) -> PyResult<Environ<'py>> {
        let dict = self.variables(py, &request.vars)?;
        if request.scheme == Scheme::Https {
            dict.set_item(intern!(py, "wsgi.url_scheme"), &self.https)?;
        }
        let input = match request.body.is_empty() {
            true => None,
            false => Some(Bound::new(py, Input::new(std::mem::take(&mut request.body)))?),
        };
        if let Some(input) = &input {
            dict.set_item(intern!(py, "wsgi.input"), input)?;
        }
        Ok(Environ { dict, input })
    }

    /// A copy of the template, or of a similar request's dict, with the request's variables.
    fn variables<'py>(&self, py: Python<'py>, vars: &Vars) -> PyResult<Bound<'py, PyDict>> {
        MEMORY.with(|memory| match memory.try_borrow_mut() {
            Ok(mut memory) => memory.environ(self, py, vars),
            // An object's finaliser has started a request inside of ours: it does without.
            Err(_) => self.fresh(py, vars, &mut Names::default()),
        })
    }

    fn fresh<'py>(&self, py: Python<'py>, vars: &Vars, names: &mut Names) -> PyResult<Bound<'py, PyDict>> {
        let dict = self.dict.bind(py).copy()?;
        for (name, value) in vars.iter().filter(|&(name, _)| !is_ours(name)) {
            dict.set_item(self.key(py, name, names)?, ffi::latin1(py, value)?)?;
        }
        Ok(dict)
    }

    fn key<'py>(&self, py: Python<'py>, name: Name<'_>, names: &mut Names) -> PyResult<Bound<'py, PyString>> {
        match name {
            Name::Known(variable) => Ok(self.keys.known(py, variable).clone()),
            Name::Other(name) => names.key(py, name),
        }
    }
}

impl Environ<'_> {
    /// The request is over: its input reads no more, and the memory goes back for the next request's body.
    pub(crate) fn end(self, request: &mut Request) {
        if let Some(input) = &self.input {
            request.body = input.get().end();
        }
    }

    /// Whether the request's body did not come whole. The application was told when it read it.
    pub(crate) fn has_failed_input(&self) -> bool {
        self.input.as_ref().is_some_and(|input| input.get().has_failed())
    }
}

/// Whether a name is one that this server speaks for: what a protocol says never replaces that.
fn is_ours(name: Name<'_>) -> bool {
    matches!(name, Name::Other(name) if name.starts_with(b"wsgi."))
}

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::default();
}

/// What a thread remembers from request to request.
#[derive(Default)]
struct Memory {
    names: Names,
    previous: Option<Previous>,
    /// The shape of the last request, if it did not resemble the previous one.
    unlike: Option<usize>,
}

impl Memory {
    fn environ<'py>(
        &mut self,
        template: &Template,
        py: Python<'py>,
        vars: &Vars,
    ) -> PyResult<Bound<'py, PyDict>> {
        if let Some(previous) = &mut self.previous
            && previous.resembles(&template.dict, vars)
        {
            self.unlike = None;
            return previous.environ(py, vars);
        }
        // A shape that comes twice in a row replaces the one that is kept; one that comes once does not.
        let shape = shape(vars);
        if self.unlike.replace(shape) == Some(shape) {
            self.previous = self.remember(template, py, vars)?;
        }
        template.fresh(py, vars, &mut self.names)
    }

    fn remember(&mut self, template: &Template, py: Python<'_>, vars: &Vars) -> PyResult<Option<Previous>> {
        let own = template.dict.bind(py).copy()?;
        set_objects(&own)?;
        let mut previous = Previous::new(&template.dict, own, vars);
        for (name, _) in vars.iter() {
            if is_ours(name) {
                return Ok(None);
            }
            previous.add(name, &template.key(py, name, &mut self.names)?)?;
        }
        Ok(Some(previous))
    }
}

/// A number that differs for most lists of names; what is equal by it is compared name by name.
fn shape(vars: &Vars) -> usize {
    vars.iter().fold(vars.len(), |shape, (name, _)| {
        let number = match name {
            Name::Known(variable) => variable.index(),
            Name::Other(name) => Variable::COUNT + name.len(),
        };
        shape.rotate_left(5) ^ number
    })
}

/// Sets what each thread has objects of its own for: where threads run side by side, counting the references to one
/// object in all of them would cost more than the object.
fn set_objects(dict: &Bound<'_, PyDict>) -> PyResult<()> {
    let py = dict.py();
    dict.set_item(intern!(py, "SERVER_SOFTWARE"), PyString::new(py, SOFTWARE))?;
    dict.set_item(intern!(py, "wsgi.version"), (1, 0))?;
    dict.set_item(intern!(py, "wsgi.input"), Bound::new(py, Input::empty())?)?;
    dict.set_item(intern!(py, "wsgi.errors"), Bound::new(py, ErrorsStream)?)?;
    dict.set_item(intern!(py, "wsgi.early_hints"), Bound::new(py, EarlyHints)?)
}

/// Gives the dict a larger table: a copy has one of the same size (as long as a third of it or less was deleted), and
/// then takes some forty variables without growing.
fn make_roomy(dict: &Bound<'_, PyDict>) -> PyResult<()> {
    let padding: Vec<String> =
        (dict.len()..ROOMY).map(|number| format!("tapster.padding.{number}")).collect();
    for key in &padding {
        dict.set_item(key, dict.py().None())?;
    }
    for key in &padding {
        dict.del_item(key)?;
    }
    Ok(())
}

/// Variables that PEP 3333 wants in every environ. The protocols set them all; these are for a packet that has not.
const REQUIRED: &[(Variable, &str)] = &[
    (Variable::RequestMethod, "GET"),
    (Variable::ScriptName, ""),
    (Variable::PathInfo, ""),
    (Variable::QueryString, ""),
    (Variable::ServerProtocol, "HTTP/1.1"),
    (Variable::ServerName, "localhost"),
    (Variable::ServerPort, "80"),
];
