//! What the application returned, sent: lists and tuples at once with their length, files without Python, all else item
//! by item as it comes (PEP 3333 "Buffering and Streaming").

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyIterator, PyList, PyMemoryView, PySlice, PyString, PyTuple};
use tapster_gateway::{BodySize, Flush, Respond, WriteError};

use crate::failure::Failure;
use crate::ffi;
use crate::file_wrapper::{FileWrapper, Region};
use crate::start_response::{StartResponse, type_name};

/// The way from the application's bytes to the server.
pub(crate) struct Outgoing<'a, 'py> {
    start: &'a Bound<'py, StartResponse>,
    respond: &'a mut dyn Respond,
}

impl<'a, 'py> Outgoing<'a, 'py> {
    /// Bytes go to `respond` after the head that `start` holds.
    pub(crate) fn new(
        start: &'a Bound<'py, StartResponse>,
        respond: &'a mut dyn Respond,
    ) -> Outgoing<'a, 'py> {
        Outgoing { start, respond }
    }

    /// Commits the head if it is not out; fails if the application has given none.
    fn commit(&mut self, size: BodySize) -> Result<PyRefMut<'py, StartResponse>, Failure> {
        let mut start = StartResponse::of(self.start)?;
        if !start.called() {
            let message = "the application returned its body without calling start_response()";
            return Err(PyRuntimeError::new_err(message).into());
        }
        start.commit(self.respond, size);
        Ok(start)
    }

    /// Sends one item; `Ok(false)` when the server wants no more.
    fn send(&mut self, bytes: &Bound<'py, PyBytes>, size: BodySize, flush: Flush) -> Result<bool, Failure> {
        let mut start = self.commit(size)?;
        wants_more(start.send(self.respond, &ffi::SharedBytes::new(bytes), flush))
    }

    /// Sends a part of a file.
    fn send_file(&mut self, part: Region) -> Result<(), Failure> {
        let mut start = self.commit(BodySize::Known(part.length))?;
        let left = start.content_length().map(|announced| announced.saturating_sub(start.sent()));
        let length = part.length.min(left.unwrap_or(u64::MAX));
        if length == 0 {
            return Ok(());
        }
        let taken = self.respond.send_file(part.file.into(), part.offset, length);
        wants_more(start.note(length, taken)).map(drop)
    }

    fn content_length(&self) -> Result<Option<u64>, Failure> {
        Ok(StartResponse::of(self.start)?.content_length())
    }
}

/// Sends the body, and the head with its first byte or at its end.
pub(crate) fn send<'py>(body: &Bound<'py, PyAny>, out: &mut Outgoing<'_, 'py>) -> Result<(), Failure> {
    if let Ok(list) = body.cast_exact::<PyList>() {
        return send_sized(body, || list.iter(), out);
    }
    if let Ok(tuple) = body.cast_exact::<PyTuple>() {
        return send_sized(body, || tuple.iter(), out);
    }
    if let Ok(wrapper) = body.cast_exact::<FileWrapper>()
        && let Some(part) = wrapper.get().region(body.py())
    {
        return out.send_file(part);
    }
    refuse_what_is_no_body(body)?;
    send_items(body, out)
}

/// `close()` of what the application returned, if it has one.
pub(crate) fn close(body: &Bound<'_, PyAny>) -> PyResult<()> {
    if body.is_exact_instance_of::<PyList>() || body.is_exact_instance_of::<PyTuple>() {
        return Ok(());
    }
    match body.getattr_opt(intern!(body.py(), "close"))? {
        Some(close) => close.call0().map(drop),
        None => Ok(()),
    }
}

/// A list or a tuple: all of it is there, so its length is known and nothing is flushed before the end.
fn send_sized<'py, I>(
    body: &Bound<'py, PyAny>,
    items: impl Fn() -> I,
    out: &mut Outgoing<'_, 'py>,
) -> Result<(), Failure>
where
    I: Iterator<Item = Bound<'py, PyAny>>,
{
    let mut total = 0;
    for (index, item) in items().enumerate() {
        total += bytes_of(body, index, &item)?.as_bytes().len() as u64;
    }
    let mut start = out.commit(BodySize::Known(total))?;
    for (index, item) in items().enumerate() {
        let bytes = bytes_of(body, index, &item)?;
        if bytes.as_bytes().is_empty() {
            continue;
        }
        if !wants_more(start.send(out.respond, &ffi::SharedBytes::new(bytes), Flush::Later))? {
            break;
        }
    }
    Ok(())
}

/// Any other iterable: each item leaves as it comes, because the next one may take its time.
fn send_items<'py>(body: &Bound<'py, PyAny>, out: &mut Outgoing<'_, 'py>) -> Result<(), Failure> {
    let mut items = ffi::lend(out.respond, out.start.as_any(), || body.try_iter())
        .map_err(|error| explain_no_iterator(body, error))?;
    let single = holds_one_item(body, out)?;
    let mut index = 0;
    while let Some(item) = next(&mut items, out)? {
        let bytes = bytes_of(body, index, &item)?;
        index += 1;
        let length = bytes.as_bytes().len() as u64;
        let size = if single { BodySize::Known(length) } else { BodySize::Unknown };
        if length > 0 && !out.send(bytes, size, Flush::Now)? {
            return Ok(());
        }
    }
    out.commit(BodySize::Known(0)).map(drop)
}

/// The next item, with `write()` usable meanwhile.
fn next<'py>(
    items: &mut Bound<'py, PyIterator>,
    out: &mut Outgoing<'_, 'py>,
) -> Result<Option<Bound<'py, PyAny>>, Failure> {
    Ok(ffi::lend(out.respond, out.start.as_any(), || items.next()).transpose()?)
}

/// Whether `len()` says that there is one item, which makes its length the body's (PEP 3333 "Handling the
/// Content-Length Header").
fn holds_one_item(body: &Bound<'_, PyAny>, out: &Outgoing<'_, '_>) -> Result<bool, Failure> {
    if out.content_length()?.is_some() || !body.get_type().hasattr(intern!(body.py(), "__len__"))? {
        return Ok(false);
    }
    Ok(body.len().is_ok_and(|length| length == 1))
}

fn wants_more(taken: Result<(), WriteError>) -> Result<bool, Failure> {
    match taken {
        Ok(()) => Ok(true),
        Err(WriteError::TooLong) => Ok(false),
        Err(WriteError::Disconnected) => Err(Failure::Disconnected),
    }
}

fn bytes_of<'a, 'py>(
    body: &Bound<'py, PyAny>,
    index: usize,
    item: &'a Bound<'py, PyAny>,
) -> PyResult<&'a Bound<'py, PyBytes>> {
    item.cast::<PyBytes>().map_err(|_| {
        let advice = match item.is_instance_of::<PyString>() {
            true => "encode it, for example with .encode()",
            false => "PEP 3333 allows only bytes; convert it with bytes(...)",
        };
        let (body, item) = (type_name(body), type_name(item));
        PyTypeError::new_err(format!(
            "item {index} of the {body} that the application returned is {item}, not bytes: {advice}"
        ))
    })
}

/// Refuses values that Python could iterate, but that are never meant as a body.
fn refuse_what_is_no_body(body: &Bound<'_, PyAny>) -> PyResult<()> {
    let message = if body.is_instance_of::<PyBytes>() {
        let shown = excerpt(body);
        format!("the application returned {shown}: wrap it in a list: [{shown}]")
    } else if body.is_instance_of::<PyString>() {
        let shown = excerpt(body);
        format!("the application returned {shown}: encode it and wrap it in a list: [{shown}.encode()]")
    } else if body.is_instance_of::<PyByteArray>() || body.is_instance_of::<PyMemoryView>() {
        let kind = type_name(body);
        format!("the application returned a {kind}: wrap it in a list of bytes: [bytes(...)]")
    } else {
        return Ok(());
    };
    Err(PyTypeError::new_err(message))
}

/// The value as the source would spell it; long ones are cut.
fn excerpt(value: &Bound<'_, PyAny>) -> String {
    const SHOWN: usize = 24;
    let prefix = value.len().unwrap_or(0).min(SHOWN);
    let start = value.get_item(PySlice::new(value.py(), 0, prefix as isize, 1));
    let quoted = start.and_then(|start| start.repr()).map(|text| text.to_string_lossy().into_owned());
    match (quoted, value.len()) {
        (Ok(quoted), Ok(length)) if length <= SHOWN => quoted,
        _ if value.is_instance_of::<PyBytes>() => "b'...'".to_owned(),
        _ => "'...'".to_owned(),
    }
}

/// Python's "not iterable" said in terms of WSGI. Errors of the application's own `__iter__` stay as they are.
fn explain_no_iterator(body: &Bound<'_, PyAny>, error: PyErr) -> Failure {
    let py = body.py();
    if !error.is_instance_of::<PyTypeError>(py) || error.traceback(py).is_some() {
        return error.into();
    }
    let kind = type_name(body);
    let message = match body.get_type().hasattr(intern!(py, "__iter__")) {
        Ok(true) => format!(
            "__iter__ of the {kind} that the application returned gives no iterator ({}): write `yield`, or \
             `return iter([...])`",
            error.value(py)
        ),
        _ if body.is_none() => {
            "the application returned None: return a list of bytes, such as [b'...']".to_owned()
        }
        _ if kind == "coroutine" => {
            "the application returned a coroutine: an async function is no WSGI application (is it ASGI?)"
                .to_owned()
        }
        _ => format!(
            "the application returned {kind}, which is not iterable: return a list of bytes, such as [b'...']"
        ),
    };
    PyTypeError::new_err(message).into()
}
