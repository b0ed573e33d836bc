//! Looks at the stacks of Python threads, again and again, with the interpreter's lock: `tapster._profile` counts them. While a
//! thread keeps the lock in a call of C the look waits, and then counts for all that time. Run by a native thread.

use pyo3::prelude::*;
use tapster_gateway::{Counted, Sampler};

/// A Sampler of `tapster._profile`.
pub(crate) struct PythonSampler {
    /// Its object, or why there is none.
    counts: Result<Py<PyAny>, String>,
}

impl PythonSampler {
    pub(crate) fn new(counted: Counted) -> PythonSampler {
        let counts = Python::attach(|py| {
            let class = py.import("tapster._profile")?.getattr("Sampler")?;
            class.call1((counted.cpu, counted.all_threads)).map(Bound::unbind)
        });
        PythonSampler { counts: counts.map_err(|error| error.to_string()) }
    }
}

impl Sampler for PythonSampler {
    fn sample(&mut self) {
        let Ok(counts) = &self.counts else { return };
        let seen = Python::attach(|py| counts.call_method0(py, "sample").map(drop));
        if let Err(error) = seen {
            self.counts = Err(error.to_string());
        }
    }

    fn finish(self: Box<Self>) -> String {
        let text = self.counts.and_then(|counts| {
            let text = Python::attach(|py| counts.call_method0(py, "result")?.extract(py));
            text.map_err(|error: PyErr| error.to_string())
        });
        text.unwrap_or_else(|error| error)
    }
}
