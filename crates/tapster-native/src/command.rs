//! The `tapster` command: what the arguments ask for. Run once, in the process that becomes the supervisor.

use std::io::{self, Write};
use std::path::Path;

use pyo3::prelude::*;
use tapster_config::{Command, Fact, Files, Loaded};
use tapster_observe::Incident;

use crate::inheritance::Inheritance;
use crate::renewal::Source;
use crate::{client, explain, facts, server, virtualenv};

/// The command line, a variable or a file is wrong.
const EXIT_USAGE: i32 = 2;

/// The configuration files of the file system.
pub(crate) struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Option<String>> {
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn fact(&self, about: &Fact<'_>) -> Option<String> {
        facts::answer(about, None)
    }

    fn gunicorn(&self, location: Option<&str>) -> Result<Option<String>, String> {
        gunicorn(location, None)
    }
}

/// Executes gunicorn's configuration; relative paths are those of `directory`.
pub(crate) fn gunicorn(location: Option<&str>, directory: Option<&Path>) -> Result<Option<String>, String> {
    let directory = directory.map(|directory| directory.to_string_lossy().into_owned());
    let read = |py: Python<'_>| {
        let module = py.import("tapster.gunicorn.configuration")?;
        module.call_method1("try_read", (location, directory))?.extract::<(Option<String>, Option<String>)>()
    };
    match Python::attach(read) {
        Ok((_, Some(failure))) => Err(failure),
        Ok((text, None)) => Ok(text),
        Err(error) => Err(format!("gunicorn's configuration cannot be executed: {error}")),
    }
}

/// Does what the arguments say; gives the exit status.
pub(crate) fn run(py: Python<'_>, arguments: &[String]) -> i32 {
    let inheritance = match Inheritance::receive(py) {
        Ok(inheritance) => inheritance,
        Err(error) => return complain(&error),
    };
    // Bytes that are no UTF-8 are replaced, so that a wrong TAPSTER_ variable is reported and not passed over.
    let text = |bytes: std::ffi::OsString| bytes.to_string_lossy().into_owned();
    let environment: Vec<_> = std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
    match tapster_config::load(arguments, &environment, &Disk) {
        Ok(Command::Serve(loaded)) => {
            let Loaded { settings, values, tables, notes, .. } = *loaded;
            if let Some(directory) = &settings.virtualenv
                && let Err(error) = virtualenv::enter(py, directory, arguments)
            {
                return complain(&error);
            }
            let source = Source { arguments: arguments.to_vec(), environment, values, tables, notes };
            server::run(py, settings, source, inheritance)
        }
        Ok(Command::Control(command)) => client::run(&command),
        Ok(Command::Help(text) | Command::HelpAll(text) | Command::ConfigShow(text)) => print(&text),
        Ok(Command::Explain(id)) => match explain::text(id.as_deref()) {
            Ok(text) => print(&text),
            Err(error) => complain(&error),
        },
        Ok(Command::Version) => print(&format!("tapster {}\n", env!("CARGO_PKG_VERSION"))),
        Err(error) => complain(&error),
    }
}

fn print(text: &str) -> i32 {
    let mut out = io::stdout().lock();
    // Nobody reads on: `tapster --help | head` is no failure.
    let _closed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    0
}

/// Says on standard error what is wrong with the call; gives the exit status.
pub(crate) fn complain(error: &dyn std::fmt::Display) -> i32 {
    let _closed = writeln!(io::stderr().lock(), "tapster: error: {} {error}", Incident::CONFIGURATION_WRONG);
    EXIT_USAGE
}
