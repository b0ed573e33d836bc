//! What the server before this one left to it, when this one was executed to take its place. Read before anything else.

use std::os::fd::OwnedFd;

use pyo3::prelude::*;
use tapster_supervisor::handover::predecessor::Predecessor;
use tapster_supervisor::handover::{LISTENERS, PREDECESSOR};
use tapster_supervisor::init::INIT;
use tapster_sys::exec;
use tapster_sys::process::Pid;
use tapster_sys::socket::Handed;

/// The listeners of the old server, and the line to it.
pub(crate) struct Inheritance {
    pub(crate) handed: Handed,
    pub(crate) predecessor: Predecessor,
    /// Where PID 1 is told who the server is, if that is a process of ours.
    pub(crate) init: Option<OwnedFd>,
}

impl Inheritance {
    /// Takes it out of the environment, so that no program of the application's takes it for its own. None when this
    /// server was started by somebody else.
    pub(crate) fn receive(py: Python<'_>) -> Result<Option<Inheritance>, String> {
        let (listeners, predecessor, init) = (take(py, LISTENERS), take(py, PREDECESSOR), take(py, INIT));
        let (Some(listeners), Some(predecessor)) = (listeners, predecessor) else { return Ok(None) };
        let predecessor = Predecessor::from_text(&predecessor).map_err(|error| {
            format!("{PREDECESSOR} is set during upgrades only, and not as it is here ({error}); unset it")
        })?;
        let handed = Handed::take(&listeners).map_err(|error| error.to_string())?;
        let init = init.and_then(|number| exec::inherited(number.parse().ok()?).ok());
        Ok(Some(Inheritance { handed, predecessor, init }))
    }

    /// The old server.
    pub(crate) fn pid(&self) -> Pid {
        self.predecessor.pid()
    }
}

fn take(py: Python<'_>, name: &str) -> Option<String> {
    let environment = py.import("os").and_then(|os| os.getattr("environ"));
    environment.and_then(|environment| environment.call_method1("pop", (name, py.None()))?.extract()).ok()?
}
