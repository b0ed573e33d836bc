//! `tapster top`: the server that it shows is asked on its control socket, and looked for anew when it has gone.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tapster_config::{ControlCommand, TopOptions};
use tapster_supervisor::control::live::Reading;
use tapster_supervisor::control::protocol::{Collected, Recycling, Reloaded, Request};
use tapster_top::Server;

use super::connection::Connection;
use super::{COLLECTING, SOON, find, parse, recycled, reloaded};

/// Shows the server until the operator has seen enough.
pub(super) fn run(command: &ControlCommand, options: &TopOptions) -> Result<(), String> {
    let server = Asked { command: command.clone(), kept: Mutex::default(), place: Mutex::default() };
    tapster_top::run(Arc::new(server), options, command.json)
}

/// The server that is meant, or the one that has taken its place.
struct Asked {
    command: ControlCommand,
    /// The connection that readings come on.
    kept: Mutex<Option<Connection>>,
    /// Where it was found: a server that takes over has the same socket, whatever its process is.
    place: Mutex<Option<PathBuf>>,
}

impl Asked {
    fn connect(&self) -> Result<Connection, String> {
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = place.as_ref().and_then(|path| Connection::open(path).ok()) {
            return Ok(connection);
        }
        let connection = find::server(&self.command)?;
        *place = Some(connection.path().to_owned());
        Ok(connection)
    }
}

impl Server for Asked {
    fn reading(&self) -> Result<Reading, String> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let line = match connection.ask(&Request::Live, Some(SOON)) {
            Ok(line) => line,
            Err(unanswered) if unanswered.is_gone => {
                connection = self.connect()?;
                connection.ask(&Request::Live, Some(SOON))?
            }
            Err(unanswered) => return Err(unanswered.into()),
        };
        let reading = parse(&line)?;
        *kept = Some(connection);
        Ok(reading)
    }

    fn recycle(&self, worker: usize) -> Result<String, String> {
        let worker = u32::try_from(worker).unwrap_or(u32::MAX);
        let line = self.connect()?.ask(&Request::Recycle { worker }, Some(SOON))?;
        parse(&line).map(|told: Recycling| recycled(&told))
    }

    fn reload(&self) -> Result<String, String> {
        let line = self.connect()?.ask(&Request::Reload, None)?;
        let told = parse(&line).map(|told: Reloaded| reloaded(&told));
        told.map_err(|error| format!("not reloaded: {error}"))
    }

    fn stacks(&self) -> Result<Collected, String> {
        parse(&self.connect()?.ask(&Request::Stacks, Some(COLLECTING))?)
    }
}
