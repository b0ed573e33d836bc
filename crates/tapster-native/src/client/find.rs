//! Which server an operator means: the one whose socket or process was named, or the only one of this user.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use tapster_config::{ControlCommand, ControlSocket};
use tapster_supervisor::control::place;
use tapster_supervisor::control::protocol::{Answer, Identity, Request};

use super::connection::Connection;

/// How long all servers together may take to say who they are.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long each may take at least, however long others took.
const LEAST_PATIENCE: Duration = Duration::from_secs(2);

/// How long to look once more for servers one of which is just being replaced by the next: its socket was there and is not,
/// or had nobody to answer any more.
const CHANGING: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(20);

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
    let until = Instant::now() + CHANGING;
    loop {
        let (found, is_changing) = look();
        if !is_changing || Instant::now() > until {
            return found;
        }
        thread::sleep(PAUSE);
    }
}

/// The servers that answer now, and whether one has gone meanwhile, whose place another one may have taken.
fn look() -> (Vec<(Identity, Connection)>, bool) {
    let (mut found, mut is_changing) = (Vec::<(Identity, Connection)>::new(), false);
    let until = Instant::now() + PATIENCE;
    for (_, path) in place::sockets() {
        match identify(&path, until.saturating_duration_since(Instant::now()).max(LEAST_PATIENCE)) {
            Seen::Server(identity, connection) => {
                if found.iter().all(|(known, _)| known.pid != identity.pid) {
                    found.push((identity, connection));
                }
            }
            Seen::Gone => is_changing = true,
            Seen::Nobody => {}
        }
    }
    (found, is_changing)
}

/// Who is at a socket.
enum Seen {
    Server(Identity, Connection),
    /// Somebody was there a moment ago.
    Gone,
    /// Nobody who answers.
    Nobody,
}

fn identify(path: &Path, patience: Duration) -> Seen {
    let Ok(mut connection) = Connection::open(path) else {
        // What a killed server left is still there.
        return if path.symlink_metadata().is_ok() { Seen::Nobody } else { Seen::Gone };
    };
    match connection.ask(&Request::Version, Some(patience)) {
        Ok(line) => {
            let answer = serde_json::from_str(&line).ok().and_then(|answer: Answer<Identity>| answer.body);
            answer.map_or(Seen::Nobody, |identity| Seen::Server(identity, connection))
        }
        Err(unanswered) if unanswered.is_gone => Seen::Gone,
        Err(_) => Seen::Nobody,
    }
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
