//! `--hooks`: the operator's functions, called in the supervisor as its life goes on (`tapster/_hooks.py`). One that fails
//! is told of in the log; only the first, `on_start`, can keep the server from starting.

use pyo3::call::PyCallArgs;
use pyo3::prelude::*;
use tapster_config::Settings;
use tapster_observe::{Incident, Log};
use tapster_supervisor::Report;
use tapster_sys::process::Pid;

/// The functions of the module that the settings name, or none.
pub(crate) struct Hooks {
    python: Option<Py<PyAny>>,
    log: Log,
}

impl Hooks {
    /// Loads the module and runs `on_start`.
    ///
    /// # Errors
    /// In words for the operator, with the traceback of what was raised.
    pub(crate) fn start(py: Python<'_>, settings: &Settings, log: &Log) -> Result<Hooks, String> {
        let Some(module) = &settings.hooks else { return Ok(Hooks { python: None, log: log.clone() }) };
        let text = |path: &std::path::PathBuf| path.to_string_lossy().into_owned();
        let directories: Vec<String> = settings.chdir.iter().chain(&settings.pythonpath).map(text).collect();
        let begin = || {
            let hooks = py.import("tapster._hooks")?.getattr("Hooks")?.call1((module, directories))?;
            hooks.call_method0("load")?;
            hooks.call_method1("call", ("on_start",))?;
            PyResult::Ok(hooks.unbind())
        };
        let python = begin().map_err(|error| format!("--hooks {module}: {}", describe(py, &error)))?;
        Ok(Hooks { python: Some(python), log: log.clone() })
    }

    /// Before a worker is forked.
    pub(crate) fn pre_fork(&self, py: Python<'_>) {
        self.call(py, "pre_fork", ("pre_fork",));
    }

    /// In a worker, before it loads the application.
    pub(crate) fn post_fork(&self, py: Python<'_>, slot: usize) {
        self.call(py, "post_fork", ("post_fork", slot + 1));
    }

    /// What the supervisor has to say, and the process that it is about.
    pub(crate) fn note(&self, py: Python<'_>, report: &Report, pid: Option<Pid>) {
        let pid = pid.map_or(0, Pid::as_raw);
        match report {
            Report::WorkerReady { slot, .. } => {
                self.call(py, "worker_ready", ("worker_ready", slot + 1, pid))
            }
            Report::Died { slot, status, .. } | Report::Gone { slot, status, .. } => {
                self.call(py, "worker_exit", ("worker_exit", slot + 1, pid, status.to_string()));
            }
            Report::Promoted { slot, .. } => {
                self.call(py, "worker_exit", ("worker_exit", slot + 1, pid, "became the template"));
            }
            Report::Reloading | Report::ReloadingFurther => self.reload(py),
            Report::Stopping(_) => self.call(py, "on_stop", ("on_stop",)),
            _ => {}
        }
    }

    fn reload(&self, py: Python<'_>) {
        let Some(python) = &self.python else { return };
        match python.call_method0(py, "load") {
            Ok(_) => self.call(py, "on_reload", ("on_reload",)),
            Err(error) => self.complain(py, "those of before stay", &error),
        }
    }

    /// Calls the function whose name is the first argument.
    fn call<'py>(&self, py: Python<'py>, name: &str, arguments: impl PyCallArgs<'py>) {
        let Some(python) = &self.python else { return };
        if let Err(error) = python.bind(py).call_method1("call", arguments) {
            self.complain(py, name, &error);
        }
    }

    fn complain(&self, py: Python<'_>, what: &str, error: &PyErr) {
        let text = describe(py, error);
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        let entry = self.log.entry(Incident::HOOK_FAILED).traceback(rest.as_bytes());
        entry.write(format_args!("--hooks, {what}: {first}"));
    }
}

/// What the server itself has to say of a hook is one sentence; anything else is shown with its traceback.
fn describe(py: Python<'_>, error: &PyErr) -> String {
    let own = py.import("tapster._hooks").and_then(|module| module.getattr("HookError"));
    if own.is_ok_and(|kind| error.is_instance(py, &kind)) {
        return error.value(py).to_string();
    }
    match error.traceback(py).map(|trace| trace.format()) {
        Some(Ok(trace)) => format!("{error}\n{trace}"),
        _ => error.to_string(),
    }
}
