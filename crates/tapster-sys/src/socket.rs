//! Listening sockets: opened once by the supervisor, inherited by everybody.

pub mod activation;
mod handed;
mod inet;
mod inherited;
mod turn_away;
mod unix;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::path::PathBuf;

use rustix::net::{AddressFamily, SocketFlags, SocketType};

pub use handed::{Handed, describe as describe_for_successor};

/// The longest queue of connections to accept that is asked for when nothing else is said.
const BACKLOG: u32 = 4096;

/// Where to listen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// One address; port 0 lets the system choose.
    Inet(SocketAddr),
    /// Every address of a name.
    Host(String, u16),
    /// Every IPv4 and IPv6 address.
    Any(u16),
    /// A socket in the file system, and who may use it.
    Unix(PathBuf, Access),
    /// A descriptor inherited from the parent: a listening stream socket, or a bound one.
    Descriptor(RawFd),
    /// One that the server before this one handed over, in its words. Never opened; only named in errors.
    Handed(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Inet(address) => address.fmt(f),
            Place::Host(name, port) => write!(f, "{name}:{port}"),
            Place::Any(port) => write!(f, ":{port}"),
            Place::Unix(path, _) => write!(f, "unix:{}", path.display()),
            Place::Descriptor(number) => write!(f, "fd://{number}"),
            Place::Handed(entry) => write!(f, "what the server before this one handed over ({entry})"),
        }
    }
}

/// Who may connect to a socket in the file system: those who may write to its file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access {
    /// The mode of the file.
    pub mode: u32,
    /// The user that it is given to; none means that it stays this process's.
    pub user: Option<u32>,
    /// The group that it is given to.
    pub group: Option<u32>,
}

impl Access {
    /// A file of this process's own, with this mode.
    pub fn mode(mode: u32) -> Access {
        Access { mode, user: None, group: None }
    }
}

/// Where a listener does listen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Address {
    /// An address and the true port.
    Inet(SocketAddr),
    /// An absolute path; empty for a socket without a name.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Inet(address) => address.fmt(f),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// How many connections may wait to be accepted: asked for, and granted by the system (`net.core.somaxconn`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backlog {
    /// What was asked for.
    pub wanted: u32,
    /// What there is.
    pub granted: u32,
}

impl Backlog {
    fn new(wanted: Option<u32>) -> Backlog {
        let wanted = wanted.unwrap_or(BACKLOG).max(1);
        Backlog { wanted, granted: wanted.min(somaxconn()) }
    }

    /// Whether the system grants less than was asked for.
    pub fn is_clipped(self) -> bool {
        self.granted < self.wanted
    }

    fn as_raw(self) -> i32 {
        i32::try_from(self.granted).unwrap_or(i32::MAX)
    }
}

/// The longest queue that the system grants.
fn somaxconn() -> u32 {
    let text = std::fs::read_to_string("/proc/sys/net/core/somaxconn").ok();
    text.and_then(|text| text.trim().parse().ok()).unwrap_or(128)
}

/// A listening stream socket: non-blocking, close-on-exec, without Nagle's delay (accepted sockets inherit that).
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    address: Address,
    dual_stack: bool,
    backlog: Backlog,
    proxied: bool,
    redirects: bool,
    /// Opened by this server or one before it, not by a service manager: nobody else listens there.
    own: bool,
    /// The place in the words of the configuration.
    place: String,
    file: Option<unix::SocketFile>,
    /// The file that the server before this one still owns.
    handed_file: Option<unix::SocketFile>,
}

impl Listener {
    /// Opens a place: one listener, or several for a name with several addresses or where one socket cannot serve
    /// both IPv4 and IPv6. `backlog` defaults to 4096.
    pub fn open(place: &Place, backlog: Option<u32>) -> Result<Vec<Listener>, OpenError> {
        Listener::take_or_open(place, backlog, &mut Handed::default())
    }

    /// The same, but what the server before this one handed over is taken instead of opened, so that no connection in
    /// its queue is lost. Its queue then has the length asked for here.
    pub fn take_or_open(
        place: &Place,
        backlog: Option<u32>,
        handed: &mut Handed,
    ) -> Result<Vec<Listener>, OpenError> {
        let mut opening = Opening { place, backlog: Backlog::new(backlog), handed };
        let opened = match place {
            Place::Inet(address) => inet::open(&mut opening, *address).map(|one| vec![one]),
            Place::Host(name, port) => inet::open_host(&mut opening, name, *port),
            Place::Any(port) => inet::open_any(&mut opening, *port),
            Place::Unix(path, access) => unix::open(&mut opening, path, *access).map(|one| vec![one]),
            Place::Descriptor(number) => inherited::open(&mut opening, *number).map(|one| vec![one]),
            Place::Handed(_) => Err(Cause::NotHanded),
        };
        let named = |listener| Listener { place: place.to_string(), ..listener };
        match opened {
            Ok(opened) => Ok(opened.into_iter().map(named).collect()),
            Err(cause) => Err(OpenError { place: place.clone(), cause }),
        }
    }

    fn new(socket: OwnedFd, address: Address, dual_stack: bool, backlog: Backlog) -> Listener {
        Listener {
            socket,
            address,
            dual_stack,
            backlog,
            proxied: false,
            redirects: false,
            own: false,
            place: String::new(),
            file: None,
            handed_file: None,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Whether it is a unix socket.
    pub fn is_unix(&self) -> bool {
        matches!(self.address, Address::Unix(_))
    }

    /// Whether its peers are all on this machine: a unix socket, or a loopback address.
    pub fn is_local(&self) -> bool {
        match &self.address {
            Address::Inet(address) => match address.ip() {
                IpAddr::V4(ip) => ip.is_loopback(),
                IpAddr::V6(ip) => ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback()),
            },
            Address::Unix(_) => true,
        }
    }

    /// Whether it takes IPv4 and IPv6 connections (IPv4 peers then show as `::ffff:a.b.c.d`).
    pub fn is_dual_stack(&self) -> bool {
        self.dual_stack
    }

    /// Notes whether its connections begin with a PROXY header, for whoever reads them.
    pub fn proxied(self, proxied: bool) -> Listener {
        Listener { proxied, ..self }
    }

    /// Whether its connections begin with a PROXY header.
    pub fn is_proxied(&self) -> bool {
        self.proxied
    }

    /// Notes whether its clients are only sent on to HTTPS, for whoever reads them.
    pub fn redirecting(self, redirects: bool) -> Listener {
        Listener { redirects, ..self }
    }

    /// Whether its clients are only sent on to HTTPS.
    pub fn redirects(&self) -> bool {
        self.redirects
    }

    /// Its queue.
    pub fn backlog(&self) -> Backlog {
        self.backlog
    }

    /// Another handle for the same socket. It does not own the socket's file.
    pub fn try_clone(&self) -> io::Result<Listener> {
        let socket = self.socket.try_clone()?;
        let Listener { address, dual_stack, backlog, proxied, redirects, place, .. } = self;
        let clone = Listener::new(socket, address.clone(), *dual_stack, *backlog);
        Ok(Listener { proxied: *proxied, redirects: *redirects, place: place.clone(), ..clone })
    }

    /// Makes this process the owner of the file of a unix socket that was handed over: when the server before it goes.
    pub fn own_file(&mut self) {
        self.file = self.file.take().or(self.handed_file.take());
    }

    /// Whether clients still find it: the file of a unix socket that this process owns is where it was put.
    pub fn is_reachable(&self) -> bool {
        self.file.as_ref().is_none_or(unix::SocketFile::is_there)
    }

    /// Leaves the file of a unix socket to the server that takes over. Undone by [`own_file`](Listener::own_file).
    pub fn disown_file(&mut self) {
        self.handed_file = self.handed_file.take().or(self.file.take());
    }

    /// How many connections the system has dropped because its queue was full, ever; none where it does not tell
    /// (unix sockets, where clients wait; other systems than Linux).
    pub fn overflows(&self) -> Option<u32> {
        match self.address {
            Address::Inet(_) => crate::connected::drops(self.as_fd()).ok(),
            Address::Unix(_) => None,
        }
    }

    /// How many connections wait to be accepted; none where the system does not tell.
    pub fn queued(&self) -> Option<u32> {
        match self.address {
            Address::Inet(_) => crate::accept_queue::of_inet(self.as_fd()).ok(),
            Address::Unix(_) => crate::accept_queue::of_unix(self.as_fd()).ok(),
        }
    }

    /// Takes one connection: non-blocking, close-on-exec.
    ///
    /// # Errors
    /// `WouldBlock` when nobody waits; for others see [`Trouble::of`](crate::accept::Trouble::of).
    pub fn accept(&self) -> io::Result<OwnedFd> {
        #[cfg(target_os = "linux")]
        return Ok(rustix::net::accept_with(&self.socket, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?);
        #[cfg(not(target_os = "linux"))]
        {
            let socket = rustix::net::accept(&self.socket)?;
            crate::process::set_close_on_exec(socket.as_fd())?;
            rustix::io::ioctl_fionbio(&socket, true)?;
            Ok(socket)
        }
    }

    /// Removes the file of a unix socket, if this very process made it and it is still the one it made. To be
    /// called when the server stops for good.
    pub fn remove_file(&self) {
        if let Some(file) = &self.file {
            file.remove();
        }
    }
}

/// One call of [`Listener::take_or_open`].
struct Opening<'a> {
    place: &'a Place,
    backlog: Backlog,
    handed: &'a mut Handed,
}

impl Opening<'_> {
    /// The listener that was handed over for an address, its queue as long as asked for here.
    fn take(&mut self, address: &Address, dual_stack: bool) -> Result<Option<Listener>, Cause> {
        let Some(listener) = self.handed.find(self.place, address, dual_stack) else { return Ok(None) };
        rustix::net::listen(&listener.socket, self.backlog.as_raw())?;
        Ok(Some(Listener { backlog: self.backlog, ..listener }))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Why a place cannot be listened on, in words for the operator.
#[derive(Debug)]
pub struct OpenError {
    place: Place,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    System(io::Error),
    InUse(Option<crate::port_holder::Holder>),
    NotFound(String),
    NotASocketFile,
    ProbeFailed(io::Error),
    NotGiven(io::Error),
    NotOpen,
    NotASocket,
    NotAStream,
    Reserved,
    NotHanded,
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Cause {
        Cause::System(error)
    }
}

impl From<rustix::io::Errno> for Cause {
    fn from(error: rustix::io::Errno) -> Cause {
        Cause::System(error.into())
    }
}

impl OpenError {
    /// The place.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The port, if this user may not have it because it is below 1024.
    pub fn reserved_port(&self) -> Option<u16> {
        let is_denied =
            matches!(&self.cause, Cause::System(error) if error.kind() == io::ErrorKind::PermissionDenied);
        match &self.place {
            Place::Inet(address) => Some(address.port()),
            Place::Host(_, port) | Place::Any(port) => Some(*port),
            _ => None,
        }
        .filter(|port| is_denied && *port < 1024)
    }

    /// Whether somebody else listens there.
    pub fn is_in_use(&self) -> bool {
        matches!(self.cause, Cause::InUse(_))
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on {}: ", self.place)?;
        match &self.cause {
            Cause::System(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                write!(f, "permission denied{}", permission_hint(&self.place))
            }
            Cause::System(error) => error.fmt(f),
            Cause::InUse(Some(holder)) => write!(f, "already in use by {holder}"),
            Cause::InUse(None) => f.write_str("already in use by another process"),
            Cause::NotFound(reason) => write!(f, "the name has no address ({reason})"),
            Cause::NotASocketFile => f.write_str("the file exists and is not a socket; remove or rename it"),
            Cause::ProbeFailed(error) => {
                write!(
                    f,
                    "the file exists and it is unknown whether a server uses it ({error}); remove it if none does"
                )
            }
            Cause::NotGiven(error) => {
                write!(f, "its file cannot be given to another user or group: {error} (--socket-owner)")
            }
            Cause::NotOpen => {
                f.write_str("the descriptor is not open; nothing was inherited under this number")
            }
            Cause::NotASocket => f.write_str("the descriptor is not a socket"),
            Cause::NotAStream => f.write_str("the descriptor is not a TCP or unix stream socket"),
            Cause::NotHanded => f.write_str(
                "no server wrote this; unset TAPSTER_LISTENERS, which is set during upgrades only",
            ),
            Cause::Reserved => f.write_str("0, 1 and 2 are standard input, output and error"),
        }
    }
}

impl std::error::Error for OpenError {}

fn permission_hint(place: &Place) -> &'static str {
    match place {
        Place::Inet(address) if address.port() < 1024 => {
            "; ports below 1024 need root or CAP_NET_BIND_SERVICE"
        }
        Place::Host(_, port) | Place::Any(port) if *port < 1024 => {
            "; ports below 1024 need root or CAP_NET_BIND_SERVICE"
        }
        Place::Unix(..) => "; the directory is not writable for this user",
        _ => "",
    }
}

/// A new stream socket, close-on-exec and non-blocking.
fn stream_socket(family: AddressFamily) -> io::Result<OwnedFd> {
    #[cfg(target_os = "linux")]
    return Ok(rustix::net::socket_with(
        family,
        SocketType::STREAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )?);
    #[cfg(not(target_os = "linux"))]
    {
        let socket = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::empty(), None)?;
        crate::process::set_close_on_exec(socket.as_fd())?;
        rustix::io::ioctl_fionbio(&socket, true)?;
        Ok(socket)
    }
}

#[cfg(test)]
mod tests;
