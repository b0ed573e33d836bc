//! `wsgi.input` (PEP 3333 "Input and Error Streams"): the request's body with the reading methods of `io.BytesIO`.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::{Mutex, MutexGuard, TryLockError};

use memchr::memchr;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PyList};
use tapster_gateway::Body;

use crate::ffi;

/// Bytes that are read ahead of a body on disk: enough that a line costs no system call of its own.
const READ_AHEAD: usize = 65536;

/// The body of one request, or the one that all requests without a body share: nothing can be changed in that.
#[pyclass(frozen, module = "tapster", name = "Input")]
pub(crate) struct Input {
    source: Option<Mutex<Source>>,
}

enum Source {
    Memory {
        bytes: Vec<u8>,
        position: usize,
    },
    File {
        reader: BufReader<Box<dyn Read + Send>>,
        left: u64,
    },
    /// Still arriving. Its reader knows where it ends, and fails for good if it does not come so far.
    Stream {
        reader: BufReader<Box<dyn Read + Send>>,
        failed: bool,
    },
    Ended,
}

#[pymethods]
impl Input {
    #[pyo3(signature = (size=None, /))]
    fn read<'py>(&self, py: Python<'py>, size: Option<isize>) -> PyResult<Bound<'py, PyBytes>> {
        self.with(py, |source| source.read(py, limit(size)))
    }

    #[pyo3(signature = (size=None, /))]
    fn readline<'py>(&self, py: Python<'py>, size: Option<isize>) -> PyResult<Bound<'py, PyBytes>> {
        self.with(py, |source| source.line(py, limit(size)))
    }

    #[pyo3(signature = (hint=None, /))]
    fn readlines<'py>(&self, py: Python<'py>, hint: Option<isize>) -> PyResult<Bound<'py, PyList>> {
        let enough = hint.filter(|&hint| hint > 0).map_or(usize::MAX, |hint| hint as usize);
        let lines = PyList::empty(py);
        let mut total = 0;
        while total < enough {
            let line = self.readline(py, None)?;
            if line.as_bytes().is_empty() {
                break;
            }
            total += line.as_bytes().len();
            lines.append(line)?;
        }
        Ok(lines)
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let line = self.readline(py, None)?;
        Ok(if line.as_bytes().is_empty() { None } else { Some(line) })
    }
}

impl Input {
    /// The input of requests without a body.
    pub(crate) fn empty() -> Input {
        Input { source: None }
    }

    /// The input of a request with a body.
    pub(crate) fn new(body: Body) -> Input {
        let source = match body {
            Body::Empty => return Input::empty(),
            Body::Memory(bytes) => Source::Memory { bytes, position: 0 },
            Body::Reader(reader, left) => {
                Source::File { reader: BufReader::with_capacity(READ_AHEAD, reader), left }
            }
            Body::Stream(reader, _) => {
                Source::Stream { reader: BufReader::with_capacity(READ_AHEAD, reader), failed: false }
            }
        };
        Input { source: Some(Mutex::new(source)) }
    }

    /// Ends the input with its request. Gives back the memory of a body that was in memory.
    pub(crate) fn end(&self) -> Body {
        let Some(source) = &self.source else { return Body::Empty };
        // A thread of the application's own that waits in it for the client is told by its reader.
        let Some(mut source) = try_lock(source) else { return Body::Empty };
        match std::mem::replace(&mut *source, Source::Ended) {
            Source::Memory { bytes, .. } => Body::Memory(bytes),
            Source::File { .. } | Source::Stream { .. } | Source::Ended => Body::Empty,
        }
    }

    /// Whether the body did not come whole, which the application was told with an `OSError`.
    pub(crate) fn has_failed(&self) -> bool {
        let source = self.source.as_ref().and_then(try_lock);
        source.is_some_and(|source| matches!(*source, Source::Stream { failed: true, .. }))
    }

    fn with<'py>(
        &self,
        py: Python<'py>,
        work: impl FnOnce(&mut Source) -> PyResult<Bound<'py, PyBytes>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let Some(source) = &self.source else { return Ok(PyBytes::new(py, b"")) };
        work(&mut source.lock_py_attached(py).unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl Source {
    fn read<'py>(&mut self, py: Python<'py>, limit: usize) -> PyResult<Bound<'py, PyBytes>> {
        match self {
            Source::Memory { bytes, position } => Ok(PyBytes::new(py, advance(bytes, position, limit))),
            Source::File { reader, left } => {
                let length = limit.min(usize::try_from(*left).unwrap_or(usize::MAX));
                let bytes = match reader.buffer().get(..length) {
                    Some(_) => take_ready(py, reader, length),
                    None => ffi::bytes_filled(py, length, |buffer| reader.read_exact(buffer))?,
                };
                *left -= length as u64;
                Ok(bytes)
            }
            Source::Stream { reader, failed } => match reader.buffer().get(..limit) {
                Some(_) => Ok(take_ready(py, reader, limit)),
                None => {
                    let read = py.detach(|| read_up_to(reader, limit as u64));
                    Ok(PyBytes::new(py, &read.inspect_err(|_| *failed = true)?))
                }
            },
            Source::Ended => Err(ended()),
        }
    }

    fn line<'py>(&mut self, py: Python<'py>, limit: usize) -> PyResult<Bound<'py, PyBytes>> {
        match self {
            Source::Memory { bytes, position } => {
                let rest = &bytes[*position..];
                let length = line_end(rest, limit).unwrap_or(rest.len());
                Ok(PyBytes::new(py, advance(bytes, position, length)))
            }
            Source::File { reader, left } => {
                let limit = limit.min(usize::try_from(*left).unwrap_or(usize::MAX));
                let line = match line_end(reader.buffer(), limit) {
                    Some(length) => take_ready(py, reader, length),
                    None => PyBytes::new(py, &py.detach(|| read_line(reader, limit as u64))?),
                };
                *left -= line.as_bytes().len() as u64;
                Ok(line)
            }
            Source::Stream { reader, failed } => match line_end(reader.buffer(), limit) {
                Some(length) => Ok(take_ready(py, reader, length)),
                None => {
                    let line = py.detach(|| read_part_of_line(reader, limit as u64));
                    Ok(PyBytes::new(py, &line.inspect_err(|_| *failed = true)?))
                }
            },
            Source::Ended => Err(ended()),
        }
    }
}

/// What was read ahead, without another read, so without releasing the interpreter's lock.
fn take_ready<'py>(py: Python<'py>, reader: &mut BufReader<impl Read>, length: usize) -> Bound<'py, PyBytes> {
    let bytes = PyBytes::new(py, &reader.buffer()[..length]);
    reader.consume(length);
    bytes
}

/// The length of the first line, with its end, or the limit if that is less; `None` if more bytes must tell.
fn line_end(bytes: &[u8], limit: usize) -> Option<usize> {
    let seen = &bytes[..bytes.len().min(limit)];
    memchr(b'\n', seen).map(|end| end + 1).or((seen.len() == limit).then_some(limit))
}

/// The next bytes, at most `limit` of them.
fn advance<'a>(bytes: &'a [u8], position: &mut usize, limit: usize) -> &'a [u8] {
    let rest = &bytes[*position..];
    let taken = &rest[..rest.len().min(limit)];
    *position += taken.len();
    taken
}

/// A line with its end, at most `limit` bytes of it. The body's end before that is an error: it is known to be longer.
fn read_line(reader: &mut impl BufRead, limit: u64) -> io::Result<Vec<u8>> {
    let line = read_part_of_line(reader, limit)?;
    if (line.len() as u64) < limit && !line.ends_with(b"\n") {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the request body ended before its length"));
    }
    Ok(line)
}

/// A line with its end, at most `limit` bytes of it, or what is left of the body.
fn read_part_of_line(reader: &mut impl BufRead, limit: u64) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    reader.take(limit).read_until(b'\n', &mut line)?;
    Ok(line)
}

/// At most `limit` bytes. What has not come yet takes no memory, whatever the client said of its length.
fn read_up_to(reader: &mut impl BufRead, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The source, unless another thread is in it.
fn try_lock(source: &Mutex<Source>) -> Option<MutexGuard<'_, Source>> {
    match source.try_lock() {
        Ok(source) => Some(source),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// What `io` makes of a size: None and negative mean all.
fn limit(size: Option<isize>) -> usize {
    size.and_then(|size| usize::try_from(size).ok()).unwrap_or(usize::MAX)
}

fn ended() -> PyErr {
    PyValueError::new_err("wsgi.input was read after its request had ended")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advance_gives_at_most_what_is_there() {
        let mut position = 0;
        assert_eq!(advance(b"abcdef", &mut position, 4), b"abcd");
        assert_eq!(advance(b"abcdef", &mut position, 0), b"");
        assert_eq!(advance(b"abcdef", &mut position, usize::MAX), b"ef");
        assert_eq!(advance(b"abcdef", &mut position, 1), b"");
    }

    #[test]
    fn a_line_ends_where_its_bytes_say() {
        assert_eq!(line_end(b"one\ntwo", 10), Some(4));
        assert_eq!(line_end(b"one\ntwo", 4), Some(4));
        assert_eq!(line_end(b"one\ntwo", 3), Some(3));
        assert_eq!(line_end(b"one", 3), Some(3));
        assert_eq!(line_end(b"one", 4), None);
        assert_eq!(line_end(b"", 4), None);
        assert_eq!(line_end(b"", 0), Some(0));
    }

    #[test]
    fn none_and_negative_sizes_mean_all() {
        assert_eq!(limit(None), usize::MAX);
        assert_eq!(limit(Some(-1)), usize::MAX);
        assert_eq!(limit(Some(isize::MIN)), usize::MAX);
        assert_eq!(limit(Some(0)), 0);
        assert_eq!(limit(Some(7)), 7);
    }

    #[test]
    fn a_line_ends_with_its_newline_the_limit_or_the_body() {
        let mut reader = io::Cursor::new(b"one\ntwo\nthree".to_vec());
        assert_eq!(read_line(&mut reader, 13).unwrap(), b"one\n");
        assert_eq!(read_line(&mut reader, 2).unwrap(), b"tw");
        assert_eq!(read_line(&mut reader, 7).unwrap(), b"o\n");
        assert_eq!(read_line(&mut reader, 5).unwrap(), b"three");
        assert_eq!(read_line(&mut reader, 0).unwrap(), b"");
    }

    #[test]
    fn a_body_that_ends_early_is_an_error() {
        let mut reader = io::Cursor::new(b"thr".to_vec());
        assert_eq!(read_line(&mut reader, 5).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
