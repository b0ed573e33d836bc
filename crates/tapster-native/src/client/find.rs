//! Which server an operator means: the one whose socket or process was named, or the only one of this user.

use std::path::Path;
use std::time::Duration;

use tapster_config::{ControlCommand, ControlSocket};
use tapster_supervisor::control::place;
use tapster_supervisor::control::protocol::{Answer, Identity, Request};

use super::connection::Connection;

/// How long a server may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(2);

/// The server that is meant, or why it is not clear which.
pub(super) fn server(command: &ControlCommand) -> Result<Connection, String> {
    match (command.pid, &command.socket) {
        (Some(pid), _) => with_pid(pid),
        (None, ControlSocket::At(path)) => Connection::open(path),
        (None, ControlSocket::Off) => {
            Err("there is no control socket (--control-socket off); send signals: \
             HUP reloads, TERM stops"
                .to_owned())
        }
        (None, ControlSocket::Default) => only(),
    }
}

fn with_pid(pid: u32) -> Result<Connection, String> {
    let found = running().into_iter().find(|(identity, _)| identity.pid == pid);
    found.map(|(_, connection)| connection).ok_or_else(|| {
        format!("no server of this user with pid {pid} has a control socket in {}{}", looked_in(), name_it())
    })
}

fn only() -> Result<Connection, String> {
    let mut found = running();
    match (found.pop(), found.is_empty()) {
        (None, _) => Err(format!("no server of this user is found in {}{}", looked_in(), name_it())),
        (Some((_, connection)), true) => Ok(connection),
        (Some(last), false) => {
            found.push(last);
            let rows: Vec<String> = found.iter().map(|(identity, _)| row(identity)).collect();
            Err(format!("several servers run; choose one with --pid PID:\n{}", rows.join("\n")))
        }
    }
}

/// The servers that answer.
fn running() -> Vec<(Identity, Connection)> {
    let mut found: Vec<(Identity, Connection)> = Vec::new();
    for (_, path) in place::sockets() {
        if let Some(server) = identify(&path)
            && found.iter().all(|(known, _)| known.pid != server.0.pid)
        {
            found.push(server);
        }
    }
    found
}

fn identify(path: &Path) -> Option<(Identity, Connection)> {
    let mut connection = Connection::open(path).ok()?;
    let line = connection.ask(&Request::Version, Some(PATIENCE)).ok()?;
    let answer: Answer<Identity> = serde_json::from_str(&line).ok()?;
    Some((answer.body?, connection))
}

fn row(identity: &Identity) -> String {
    let Identity { pid, app, listeners, .. } = identity;
    format!("  --pid {pid}  {app}  {}", listeners.join(" "))
}

fn looked_in() -> String {
    let places: Vec<String> = place::directories().iter().map(|path| path.display().to_string()).collect();
    places.join(", ")
}

fn name_it() -> &'static str {
    "; name its socket with --control-socket PATH"
}
