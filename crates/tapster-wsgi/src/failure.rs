//! What went wrong in a request, and how the log tells it: method, path, and the application's own traceback.

use std::fmt;

use pyo3::exceptions::PyOSError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;
use tapster_gateway::{Request, Respond, Variable};
use tapster_observe::Incident;

use crate::application::Application;
use crate::environ::Environ;
use crate::interrupt::Interrupter;

/// Why a request did not get the application's whole answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The application raised, or broke PEP 3333 in a way that we say with an exception.
    Raised(PyErr),
    /// The client went away. Nobody's fault, so nobody is told.
    Disconnected,
    /// The request's body did not come whole, and the application had no answer to that. The server has one.
    NoBody,
    /// Its time was over, and so it was ended. The log has a line about that.
    TimedOut,
    /// A panic in this server; its message is on stderr already.
    Panicked,
}

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Failure {
        Failure::Raised(error)
    }
}

impl Failure {
    /// The client's fault if the application lets through the `OSError` by which it was told of a body that failed.
    pub(crate) fn or_failed_input(self, py: Python<'_>, environ: &Environ<'_>) -> Failure {
        match self {
            Failure::Raised(error) if environ.has_failed_input() && error.is_instance_of::<PyOSError>(py) => {
                Failure::NoBody
            }
            other => other,
        }
    }

    /// What ended a request whose time was over, rather than the exception that did it.
    pub(crate) fn or_lost(self, py: Python<'_>, interrupter: &Interrupter, respond: &dyn Respond) -> Failure {
        match self {
            Failure::Raised(error) if respond.was_taken() && interrupter.is_cause(py, &error) => {
                Failure::TimedOut
            }
            other => other,
        }
    }

    /// A panic of this server, or of an extension written in Rust: PyO3 raises that as an exception of this name, of
    /// which each extension has its own.
    fn is_panic(&self, py: Python<'_>) -> bool {
        match self {
            Failure::Panicked => true,
            Failure::Raised(error) => {
                error.get_type(py).name().is_ok_and(|name| name.to_string_lossy() == "PanicException")
            }
            Failure::Disconnected | Failure::NoBody | Failure::TimedOut => false,
        }
    }

    /// Logs it as one block, unless it is a client that left; counts it if it is a panic.
    pub(crate) fn report(&self, py: Python<'_>, app: &Application, subject: &Subject<'_>, consequence: &str) {
        if self.is_panic(py) {
            app.board.count_panic();
        }
        let log = &app.log;
        match self {
            Failure::Raised(error) => {
                let trace = traceback(py, error);
                let entry = log.entry(Incident::APPLICATION_FAILED).request(subject.method, subject.path);
                entry.traceback(trace.as_bytes()).write(format_args!("{subject} {consequence}"));
            }
            Failure::Disconnected => log.debug(format_args!("{subject} ended early: the client is gone")),
            Failure::TimedOut => log.debug(format_args!("{subject} ended after its time-out")),
            Failure::NoBody => log.debug(format_args!("{subject} ended early: its body did not come whole")),
            Failure::Panicked => {
                log.report(
                    Incident::PANIC,
                    format_args!(
                        "{subject} {consequence}: a panic in tapster, which is a bug; please report it"
                    ),
                );
            }
        }
    }
}

/// Which request a log line is about: `GET /path`, without the query (it may hold secrets).
pub(crate) struct Subject<'a> {
    method: &'a [u8],
    path: &'a [u8],
}

impl<'a> Subject<'a> {
    /// The subject of `request`.
    pub(crate) fn of(request: &'a Request) -> Subject<'a> {
        let get = |variable| request.vars.get(variable);
        let uri = get(Variable::RequestUri).or_else(|| get(Variable::PathInfo)).unwrap_or(b"/");
        let path = uri.split(|&byte| byte == b'?').next().unwrap_or(uri);
        Subject { method: get(Variable::RequestMethod).unwrap_or(b"?"), path }
    }
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.method.escape_ascii(), self.path.escape_ascii())
    }
}

/// Imports what [`traceback`] needs while there is still a stack, memory and a working file system.
pub(crate) fn prepare(py: Python<'_>) -> PyResult<()> {
    format_exception(py).map(drop)
}

/// The exception as Python prints it: no frames of ours are in it, because native code has none.
pub(crate) fn traceback(py: Python<'_>, error: &PyErr) -> String {
    let formatted = format_exception(py).and_then(|format| {
        let lines = format.call1((error.get_type(py), error.value(py), error.traceback(py)))?;
        let text = PyString::new(py, "").call_method1(intern!(py, "join"), (lines,))?;
        Ok(text.cast::<PyString>()?.to_string_lossy().trim_end().to_owned())
    });
    // The traceback module fails on exceptions whose own attributes raise: the type's name is always there.
    formatted.unwrap_or_else(|_| error.get_type(py).to_string())
}

fn format_exception(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static FUNCTION: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    FUNCTION.import(py, "traceback", "format_exception")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tapster_gateway::Name;

    fn request(variables: &[(Variable, &[u8])]) -> Request {
        let mut request = Request::default();
        for &(variable, value) in variables {
            request.vars.set(Name::Known(variable), value);
        }
        request
    }

    #[test]
    fn a_subject_has_no_query() {
        let request =
            request(&[(Variable::RequestMethod, b"GET"), (Variable::RequestUri, b"/a%20b?token=secret")]);
        assert_eq!(Subject::of(&request).to_string(), "GET /a%20b");
    }

    #[test]
    fn control_bytes_in_a_subject_are_escaped() {
        let request = request(&[(Variable::RequestMethod, b"GET"), (Variable::PathInfo, b"/a\nb\x1b")]);
        assert_eq!(Subject::of(&request).to_string(), "GET /a\\nb\\x1b");
    }

    #[test]
    fn a_subject_of_nothing_is_still_a_subject() {
        assert_eq!(Subject::of(&Request::default()).to_string(), "? /");
    }
}
