//! The operator's functions, called in the supervisor as its life goes on: those of `--hooks` (`tapster/_hooks.py`), and under
//! `tapster gunicorn` those of its gunicorn.conf.py (`tapster/gunicorn/hooks.py`). One that fails is told of in the log; only
//! the first, `on_start`, can keep the server from starting.

use pyo3::call::PyCallArgs;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple};
use tapster_config::{Gunicorn, Settings};
use tapster_observe::{Incident, Kind, Log};
use tapster_supervisor::Report;
use tapster_sys::process::Pid;

/// The functions that the settings name.
pub(crate) struct Hooks {
    sources: Vec<Source>,
    log: Log,
}

/// Where functions come from.
struct Source {
    /// How the operator named it.
    name: String,
    python: Py<PyAny>,
}

impl Hooks {
    /// Loads the module and runs `on_start`.
    ///
    /// # Errors
    /// In words for the operator, with the traceback of what was raised.
    pub(crate) fn start(py: Python<'_>, settings: &Settings, log: &Log) -> Result<Hooks, String> {
        let text = |path: &std::path::PathBuf| path.to_string_lossy().into_owned();
        let mut sources = Vec::new();
        if let Some(module) = &settings.hooks {
            let directories: Vec<String> =
                settings.chdir.iter().chain(&settings.pythonpath).map(text).collect();
            let make = || py.import("tapster._hooks")?.getattr("Hooks")?.call1((module, directories));
            sources.push(begin(py, "--hooks", make).map_err(|why| format!("--hooks {module}: {why}"))?);
        }
        if let Some(gunicorn) = &settings.gunicorn {
            let name = gunicorn.file.as_deref().unwrap_or("gunicorn");
            let make = || of_gunicorn(py, gunicorn, log);
            sources.push(begin(py, name, make).map_err(|why| format!("{name}: {why}"))?);
        }
        Ok(Hooks { sources, log: log.clone() })
    }

    /// The sockets are open, and no worker runs yet.
    pub(crate) fn listening(&self, py: Python<'_>) {
        self.call(py, "when_ready", ("when_ready",));
    }

    /// All workers have gone.
    pub(crate) fn ended(&self, py: Python<'_>) {
        self.call(py, "on_exit", ("on_exit",));
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
        for source in &self.sources {
            let loaded = source.python.call_method0(py, "load");
            if let Err(error) = loaded {
                self.complain(py, source, "those of before stay", &error);
            } else if let Err(error) = source.python.call_method1(py, "call", ("on_reload",)) {
                self.complain(py, source, "on_reload", &error);
            }
        }
    }

    /// Calls the function whose name is the first argument.
    fn call<'py>(&self, py: Python<'py>, name: &str, arguments: impl PyCallArgs<'py> + Clone) {
        for source in &self.sources {
            if let Err(error) = source.python.bind(py).call_method1("call", arguments.clone()) {
                self.complain(py, source, name, &error);
            }
        }
    }

    fn complain(&self, py: Python<'_>, source: &Source, what: &str, error: &PyErr) {
        let text = describe(py, error);
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        let entry = self.log.entry(Incident::HOOK_FAILED).traceback(rest.as_bytes());
        entry.write(format_args!("{}, {what}: {first}", source.name));
    }
}

/// Makes, loads and starts the functions of one source.
fn begin<'py>(
    py: Python<'py>,
    name: &str,
    make: impl FnOnce() -> PyResult<Bound<'py, PyAny>>,
) -> Result<Source, String> {
    let started = || {
        let hooks = make()?;
        hooks.call_method0("load")?;
        hooks.call_method1("call", ("on_start",))?;
        PyResult::Ok(hooks.unbind())
    };
    match started() {
        Ok(python) => Ok(Source { name: name.to_owned(), python }),
        Err(error) => Err(describe(py, &error)),
    }
}

/// The functions of a gunicorn.conf.py, which has been executed.
fn of_gunicorn<'py>(py: Python<'py>, gunicorn: &Gunicorn, log: &Log) -> PyResult<Bound<'py, PyAny>> {
    let log = log.clone();
    let write = PyCFunction::new_closure(
        py,
        None,
        None,
        move |arguments: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| -> PyResult<()> {
            let (level, text) = arguments.extract::<(String, String)>()?;
            let kind = match level.as_str() {
                "error" => Incident::HOOK_ERROR.into(),
                "warning" => Incident::HOOK_WARNING.into(),
                "info" => Kind::Info,
                _ => Kind::Debug,
            };
            log.message(kind, format_args!("{text}"));
            Ok(())
        },
    )?;
    let class = py.import("tapster.gunicorn.hooks")?.getattr("Hooks")?;
    class.call1((&gunicorn.settings, &gunicorn.file, write))
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
