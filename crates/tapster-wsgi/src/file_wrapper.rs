//! `wsgi.file_wrapper` (PEP 3333 "Optional Platform-Specific File Handling"): a file that is returned as it is goes
//! out without Python, any other file-like object block by block.

use std::fs::File;

use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

use crate::ffi;

/// Bytes a read when the application names no block size: Django and Werkzeug name theirs.
const BLOCK_SIZE: isize = 65536;

/// The class in the environ: `environ["wsgi.file_wrapper"](file, block_size)`.
#[pyclass(frozen, module = "tapster", name = "FileWrapper")]
pub(crate) struct FileWrapper {
    #[pyo3(get)]
    filelike: Py<PyAny>,
    #[pyo3(get)]
    block_size: isize,
}

/// A part of a regular file, to its end.
pub(crate) struct Region {
    pub(crate) file: File,
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

#[pymethods]
impl FileWrapper {
    #[new]
    #[pyo3(signature = (filelike, block_size=BLOCK_SIZE))]
    fn new(filelike: Py<PyAny>, block_size: isize) -> PyResult<FileWrapper> {
        if block_size < 1 {
            return Err(PyValueError::new_err(format!("block_size must be at least 1, not {block_size}")));
        }
        Ok(FileWrapper { filelike, block_size })
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let block = self.filelike.bind(py).call_method1(intern!(py, "read"), (self.block_size,))?;
        // An empty str ends the file too; one that is not empty is refused where all items are.
        Ok(if block.is_truthy()? { Some(block) } else { None })
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        match self.filelike.bind(py).getattr_opt(intern!(py, "close"))? {
            Some(close) => close.call0().map(drop),
            None => Ok(()),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.filelike)
    }
}

impl FileWrapper {
    /// The rest of the file, if the object is one whose `read()` gives just what the descriptor holds.
    pub(crate) fn region(&self, py: Python<'_>) -> Option<Region> {
        let file = self.filelike.bind(py);
        if !reads_plainly(file).unwrap_or(false) {
            return None;
        }
        // Errors here are those that read() will raise for all to see. A temporary file may hold what it was given
        // in its buffer.
        file.call_method0(intern!(py, "flush")).ok()?;
        let offset = file.call_method0(intern!(py, "tell")).ok()?.extract::<u64>().ok()?;
        let descriptor = file.call_method0(intern!(py, "fileno")).ok()?.extract().ok()?;
        let file = File::from(ffi::duplicate(descriptor).ok()?);
        let metadata = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
        Some(Region { file, offset, length: metadata.len().saturating_sub(offset) })
    }
}

/// Whether `file` is what `open(path, "rb")` gives, buffered or not, or `tempfile.TemporaryFile()`. Others have a `fileno()` too, and a `read()` that
/// gives something else: `gzip.GzipFile` that of the compressed file.
fn reads_plainly(file: &Bound<'_, PyAny>) -> PyResult<bool> {
    static BUFFERED: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    static UPDATED: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    static RAW: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let py = file.py();
    let raw_type = RAW.import(py, "io", "FileIO")?;
    let buffered = file.get_type().is(BUFFERED.import(py, "io", "BufferedReader")?)
        || file.get_type().is(UPDATED.import(py, "io", "BufferedRandom")?);
    if !buffered {
        return Ok(file.get_type().is(raw_type));
    }
    Ok(file.getattr(intern!(py, "raw"))?.get_type().is(raw_type))
}
