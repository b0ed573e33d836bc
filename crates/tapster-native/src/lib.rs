//! `tapster._native`: the extension module. Wires the parts together and turns their results into exit codes;
//! everything that decides something stands in the other crates.

#![deny(unsafe_code)]

mod activation;
mod admin_token;
mod before_start;
mod client;
mod command;
mod development;
mod django_static;
mod explain;
mod facts;
mod front;
mod hooks;
mod host;
mod identity;
mod inheritance;
mod interpreter;
mod listeners;
mod log;
mod opening;
mod original;
mod otlp;
mod promotion;
mod renewal;
mod sandbox;
mod server;
mod start_lines;
mod strength;
mod template;
mod virtualenv;
mod worker;

/// The native part: the server itself.
#[pyo3::pymodule(gil_used = false)]
mod _native {
    use pyo3::prelude::*;

    /// Run the `tapster` command; return the exit status of the process.
    #[pyfunction]
    fn main(py: Python<'_>, arguments: Vec<String>) -> i32 {
        crate::command::run(py, &arguments)
    }

    /// Have the access log show `value` as `name` for the request that this thread answers.
    #[pyfunction]
    fn set_log_variable(name: &str, value: &str) {
        tapster_wsgi::log_variables::set(name, value);
    }

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
