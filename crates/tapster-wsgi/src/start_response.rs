//! `start_response(status, headers, exc_info=None)` and the `write()` it returns (PEP 3333 "The start_response()
//! Callable"). One object is both: its method is the former, and called itself it writes. It serves the thread's next
//! request too, unless the application keeps it; then it only raises.

use std::cell::RefCell;

use pyo3::exceptions::{
    PyConnectionError, PyConnectionResetError, PyRuntimeError, PyTypeError, PyValueError,
};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};
use tapster_gateway::{BodySize, Chunk, Flush, Request, Respond, ResponseHead, WriteError};
use tapster_observe::{Incident, Log};

use crate::failure::{Failure, Subject};
use crate::ffi;

thread_local! {
    /// What this thread's last request left for its next one.
    static SPARE: RefCell<Option<(Py<StartResponse>, Py<PyAny>)>> = const { RefCell::new(None) };
}

/// How often a thread looks whether another has left the object; one that stays there calls the application.
const PATIENCE: usize = 1000;

/// How far the answer has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// `start_response` was not called.
    Silent,
    /// It was called; the head may still be replaced.
    Started,
    /// The head is out.
    Sent,
    /// The request is over.
    Ended,
}

/// What each request's `start_response` is a method of: its head and how far the answer has come.
#[pyclass(module = "tapster", name = "StartResponse")]
pub(crate) struct StartResponse {
    phase: Phase,
    head: ResponseHead,
    /// Body bytes that the server has taken.
    sent: u64,
    /// The first refusal of the server.
    refused: Option<WriteError>,
}

#[pymethods]
impl StartResponse {
    /// What applications call first. It returns its own object as `write()`, which costs a request nothing: nearly none
    /// uses it.
    #[pyo3(name = "start_response", signature = (status, headers, exc_info=None))]
    fn take_head<'py>(
        slf: &Bound<'py, Self>,
        status: &Bound<'py, PyAny>,
        headers: &Bound<'py, PyAny>,
        exc_info: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, Self>> {
        StartResponse::of(slf)?.start(status, headers, exc_info)?;
        Ok(slf.clone())
    }

    /// `write()`.
    fn __call__<'py>(slf: &Bound<'py, Self>, data: &Bound<'py, PyAny>) -> PyResult<()> {
        StartResponse::of(slf)?.write(slf, data)
    }
}

/// One request's `start_response`: what the application calls, and what that is a method of.
pub(crate) struct Start<'py> {
    pub(crate) object: Bound<'py, StartResponse>,
    pub(crate) callable: Bound<'py, PyAny>,
}

impl<'py> Start<'py> {
    /// One for a request, as if fresh.
    pub(crate) fn create(py: Python<'py>) -> PyResult<Start<'py>> {
        let spare = SPARE.with(|spare| spare.try_borrow_mut().ok()?.take());
        if let Some((object, callable)) = spare
            && let Ok(mut this) = object.bind(py).try_borrow_mut()
        {
            (this.phase, this.sent, this.refused) = (Phase::Silent, 0, None);
            drop(this);
            return Ok(Start { object: object.into_bound(py), callable: callable.into_bound(py) });
        }
        let head = ResponseHead::default();
        let object = Bound::new(py, StartResponse { phase: Phase::Silent, head, sent: 0, refused: None })?;
        let callable = object.getattr(intern!(py, "start_response"))?;
        Ok(Start { object, callable })
    }

    /// The request is over. The thread keeps both if the application keeps neither.
    pub(crate) fn end(self) {
        let Start { object, callable } = self;
        if ffi::has_references(callable.as_any(), 1) && ffi::has_references(object.as_any(), 2) {
            let both = (object.unbind(), callable.unbind());
            SPARE.with(|spare| spare.try_borrow_mut().map(|mut spare| *spare = Some(both)).ok());
        }
    }
}

impl StartResponse {
    /// Sends body bytes at once; the head before the first of them.
    fn write(&mut self, own: &Bound<'_, Self>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let Ok(bytes) = data.cast::<PyBytes>() else {
            return Err(PyTypeError::new_err(format!("write() takes bytes, not {}", type_name(data))));
        };
        match self.phase {
            Phase::Started | Phase::Sent => {}
            Phase::Silent => return Err(PyRuntimeError::new_err("write() called before start_response()")),
            Phase::Ended => {
                return Err(PyRuntimeError::new_err("write() called after its request has ended"));
            }
        }
        if bytes.as_bytes().is_empty() {
            return Ok(());
        }
        let chunk = ffi::SharedBytes::new(bytes);
        let taken = ffi::with_lent_to(own.as_any(), |respond| {
            self.commit(respond, BodySize::Unknown);
            self.send(respond, &chunk, Flush::Now)
        });
        match taken {
            None => Err(PyRuntimeError::new_err(
                "write() called from another thread than the one that runs the request",
            )),
            Some(Err(WriteError::Disconnected)) => Err(PyConnectionResetError::new_err("the client is gone")),
            // The rest is dropped and the log says so once, when the request ends.
            Some(Ok(()) | Err(WriteError::TooLong)) => Ok(()),
        }
    }

    /// What it holds. Where threads run side by side, one of the application's that has no business here may have it at
    /// this moment: the request is not to fail for that.
    pub(crate) fn of<'py>(start: &Bound<'py, StartResponse>) -> PyResult<PyRefMut<'py, StartResponse>> {
        for _ in 0..PATIENCE {
            if let Ok(this) = start.try_borrow_mut() {
                return Ok(this);
            }
            start.py().detach(std::thread::yield_now);
        }
        Ok(start.try_borrow_mut()?)
    }

    /// Whether the application has called it.
    pub(crate) fn called(&self) -> bool {
        self.phase != Phase::Silent
    }

    /// The Content-Length that the application set.
    pub(crate) fn content_length(&self) -> Option<u64> {
        self.head.content_length()
    }

    /// Body bytes that were sent so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Commits the head if it is not out, for a body of `size`.
    pub(crate) fn commit(&mut self, respond: &mut dyn Respond, size: BodySize) {
        if self.phase == Phase::Started {
            respond.start(&self.head, size);
            self.phase = Phase::Sent;
        }
    }

    /// Sends bytes. The head is out.
    pub(crate) fn send(
        &mut self,
        respond: &mut dyn Respond,
        chunk: &dyn Chunk,
        flush: Flush,
    ) -> Result<(), WriteError> {
        let taken = respond.write(chunk, flush);
        self.note(chunk.bytes().len() as u64, taken)
    }

    /// Counts what the server took and remembers what it refused.
    pub(crate) fn note(&mut self, length: u64, taken: Result<(), WriteError>) -> Result<(), WriteError> {
        match taken {
            Ok(()) => self.sent += length,
            Err(error) => self.refused = self.refused.or(Some(error)),
        }
        taken
    }

    /// No more calls: from here on the application's copy only raises. Says what really became of the request: the
    /// exception that a client's leaving caused is no failure of the application, and an answer that nobody took is not
    /// whole. Warns of a body that is longer than its Content-Length; of one that is shorter the server warns.
    pub(crate) fn conclude(
        start: &Bound<'_, StartResponse>,
        outcome: Result<(), Failure>,
        log: &Log,
        request: &Request,
    ) -> Result<(), Failure> {
        let Ok(mut this) = StartResponse::of(start) else { return outcome };
        this.phase = Phase::Ended;
        match (this.refused, outcome) {
            (None, outcome) => outcome,
            (Some(WriteError::TooLong), outcome) => {
                let announced = this.head.content_length().unwrap_or_default();
                log.report(Incident::BODY_TOO_LONG, format_args!(
                    "{}: the application's body is longer than its Content-Length {announced}; the rest was dropped",
                    Subject::of(request)
                ));
                outcome
            }
            (Some(WriteError::Disconnected), Ok(())) => Err(Failure::Disconnected),
            (Some(WriteError::Disconnected), Err(Failure::Raised(error)))
                if error.is_instance_of::<PyConnectionError>(start.py()) =>
            {
                Err(Failure::Disconnected)
            }
            (Some(WriteError::Disconnected), outcome) => outcome,
        }
    }

    fn start(
        &mut self,
        status: &Bound<'_, PyAny>,
        headers: &Bound<'_, PyAny>,
        exc_info: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let exc_info = exc_info.filter(|value| !value.is_none());
        match (self.phase, exc_info) {
            (Phase::Ended, _) => {
                return Err(PyRuntimeError::new_err("start_response() called after its request has ended"));
            }
            (Phase::Started | Phase::Sent, None) => {
                return Err(PyRuntimeError::new_err(
                    "start_response() called a second time without exc_info (PEP 3333 allows that only to report an error)",
                ));
            }
            (Phase::Sent, Some(exc_info)) => return Err(reraise(exc_info)),
            (Phase::Silent | Phase::Started, _) => {}
        }
        // A head that is refused leaves none: the application may still answer with an error page.
        self.phase = Phase::Silent;
        self.take(status, headers)?;
        self.phase = Phase::Started;
        Ok(())
    }

    fn take(&mut self, status: &Bound<'_, PyAny>, headers: &Bound<'_, PyAny>) -> PyResult<()> {
        let status = status.cast::<PyString>().map_err(|_| {
            PyTypeError::new_err(format!("status must be a str such as '200 OK', not {}", type_name(status)))
        })?;
        let status = ffi::latin1_bytes(status)?.ok_or_else(|| outside_latin1("status"))?;
        self.head.begin(status).map_err(refused)?;
        let headers = headers.cast::<PyList>().map_err(|_| {
            PyTypeError::new_err(format!(
                "headers must be a list of (name, value) tuples, not {}",
                type_name(headers)
            ))
        })?;
        for (index, item) in headers.iter().enumerate() {
            self.field(index, &item)?;
        }
        Ok(())
    }

    fn field(&mut self, index: usize, item: &Bound<'_, PyAny>) -> PyResult<()> {
        let Some([name, value]) = item.cast::<PyTuple>().ok().map(|pair| pair.as_slice()) else {
            return Err(PyTypeError::new_err(format!(
                "headers[{index}] must be a (name, value) tuple, not {}",
                type_name(item)
            )));
        };
        let name = text(name, || format!("the name in headers[{index}]"))?;
        let name = ffi::latin1_bytes(name)?
            .ok_or_else(|| outside_latin1(&format!("the name in headers[{index}]")))?;
        let label = || format!("the value of response header {:?}", String::from_utf8_lossy(name));
        let value = text(value, label)?;
        let value = ffi::latin1_bytes(value)?.ok_or_else(|| outside_latin1(&label()))?;
        self.head.field(name, value).map_err(refused)
    }
}

/// The type's name for a message.
pub(crate) fn type_name(object: &Bound<'_, PyAny>) -> String {
    object
        .get_type()
        .name()
        .map_or_else(|_| "an unnamed type".to_owned(), |name| name.to_string_lossy().into_owned())
}

fn text<'a, 'py>(
    object: &'a Bound<'py, PyAny>,
    label: impl FnOnce() -> String,
) -> PyResult<&'a Bound<'py, PyString>> {
    let name = || type_name(object);
    object
        .cast::<PyString>()
        .map_err(|_| PyTypeError::new_err(format!("{} must be a str, not {}", label(), name())))
}

fn outside_latin1(what: &str) -> PyErr {
    PyValueError::new_err(format!(
        "{what} has a character outside latin-1 (PEP 3333: encode it first, RFC 8187 or RFC 2047)"
    ))
}

fn refused(error: tapster_gateway::HeadError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// The exception of an `exc_info` triple, to be raised again because the head is out (PEP 3333).
fn reraise(exc_info: &Bound<'_, PyAny>) -> PyErr {
    let triple = exc_info.cast::<PyTuple>().ok().filter(|triple| triple.len() == 3);
    let Some(triple) = triple else {
        return PyTypeError::new_err(format!(
            "exc_info must be the triple of sys.exc_info(), not {}",
            type_name(exc_info)
        ));
    };
    let raise = || {
        let (kind, value, traceback) = (triple.get_item(0)?, triple.get_item(1)?, triple.get_item(2)?);
        let value = if value.is_none() && !kind.is_none() { kind.call0()? } else { value };
        if value.is_none() {
            return Ok(PyRuntimeError::new_err(
                "start_response() called with an empty exc_info after the head was sent",
            ));
        }
        value.setattr(intern!(value.py(), "__traceback__"), traceback)?;
        Ok(PyErr::from_value(value))
    };
    raise().unwrap_or_else(|error: PyErr| error)
}
