//! The control socket itself: opened at the start if that can be, removed at the end. A server runs without one too.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use tapster_config::ControlSocket;
use tapster_observe::Log;
use tapster_sys::socket::{Access, Address, Listener, OpenError, Place};

use super::place;

/// Only its owner may connect.
const MODE: u32 = 0o600;
/// How long until a path in use is tried again: its owner may be this server's predecessor.
pub const RETRY: Duration = Duration::from_secs(1);

/// The socket, and the name that it has besides.
#[derive(Debug)]
pub struct Socket {
    listeners: Vec<Listener>,
    /// A link in the place where commands look, when the socket is elsewhere.
    link: Option<(PathBuf, PathBuf)>,
}

/// What came of opening it.
pub enum Opened {
    /// It is there.
    Socket(Socket),
    /// Another server has it now.
    InUse(PathBuf),
    /// There is none.
    None,
}

impl Socket {
    /// Opens the socket that the settings ask for. What cannot be is said in the log.
    pub fn open(wanted: &ControlSocket, log: &Log) -> Opened {
        match wanted {
            ControlSocket::Off => Opened::None,
            ControlSocket::Default => Socket::open_default(log),
            ControlSocket::At(path) => Socket::open_at(path, log),
        }
    }

    fn open_default(log: &Log) -> Opened {
        let mut refusals = Vec::new();
        for directory in place::directories() {
            let path = place::socket_in(&directory, std::process::id());
            match place::prepare(&directory)
                .map_err(|error| (directory.display().to_string(), error.to_string()))
            {
                Ok(()) => place::sweep(&directory),
                Err((name, error)) => {
                    refusals.push(format!("{name}: {error}"));
                    continue;
                }
            }
            match listen(&path) {
                Ok(listeners) => return Opened::Socket(Socket { listeners, link: None }),
                Err(error) => refusals.push(error.to_string()),
            }
        }
        log.info(format_args!(
            "no control socket, so tapster status, reload and stop do not reach this server (signals do); \
             --control-socket PATH names a place, off leaves it out: {}",
            refusals.join("; ")
        ));
        Opened::None
    }

    fn open_at(path: &Path, log: &Log) -> Opened {
        match listen(path) {
            Ok(listeners) => Opened::Socket(Socket { link: link_to(path), listeners }),
            Err(error) if error.is_in_use() => Opened::InUse(path.to_owned()),
            Err(error) => {
                log.info(format_args!("no control socket (--control-socket): {error}"));
                Opened::None
            }
        }
    }

    /// Whether the server that had this one before would serve it for these settings too: the place is the same, or both left
    /// the choice to us. It then keeps the name of the first server's process.
    pub fn fits(wanted: &ControlSocket, listener: &Listener) -> bool {
        let Address::Unix(there) = listener.address() else { return false };
        match wanted {
            ControlSocket::Off => false,
            ControlSocket::Default => {
                place::directories().iter().any(|directory| there.parent() == Some(directory.as_path()))
            }
            ControlSocket::At(path) => std::path::absolute(path).is_ok_and(|path| path == *there),
        }
    }

    /// The socket that was the server's before this one; none if nobody finds it any more.
    pub fn inherited(wanted: &ControlSocket, mut listener: Listener) -> Option<Socket> {
        listener.own_file();
        let link = match wanted {
            ControlSocket::At(path) => link_to(path),
            ControlSocket::Default | ControlSocket::Off => None,
        };
        Some(Socket { listeners: vec![listener], link }).filter(Socket::is_reachable)
    }

    /// Whether clients still find it.
    pub fn is_reachable(&self) -> bool {
        self.listeners.iter().all(Listener::is_reachable)
    }

    /// Where clients come in.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// The same, to change who owns their files.
    pub fn listeners_mut(&mut self) -> &mut [Listener] {
        &mut self.listeners
    }

    /// Takes the names away. Called when the server ends.
    pub fn remove(&self) {
        self.listeners.iter().for_each(Listener::remove_file);
        if let Some((link, target)) = &self.link
            && fs::read_link(link).is_ok_and(|found| found == *target)
        {
            // Gone already, or in a directory that is no longer ours.
            let _ = fs::remove_file(link);
        }
    }
}

fn listen(path: &Path) -> Result<Vec<Listener>, OpenError> {
    Listener::open(&Place::Unix(path.to_owned(), Access::mode(MODE)), None)
}

/// Makes the socket known where commands look for it. A convenience: they can be told the path.
fn link_to(path: &Path) -> Option<(PathBuf, PathBuf)> {
    let target = std::path::absolute(path).ok()?;
    let directory = place::directories().into_iter().find(|directory| place::prepare(directory).is_ok())?;
    place::sweep(&directory);
    let link = place::socket_in(&directory, std::process::id());
    match fs::remove_file(&link) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return None,
        _ => {}
    }
    std::os::unix::fs::symlink(&target, &link).ok()?;
    Some((link, target))
}
