//! Where to listen, and who may speak to it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// Where to listen, as `--bind` says it, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bind {
    /// Where.
    pub place: BindPlace,
    /// Whether this one's connections begin with a PROXY header, whatever holds for the others.
    pub proxy_protocol: bool,
}

/// A place to listen on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BindPlace {
    /// `127.0.0.1:8000`, `[::1]:8000`.
    Inet(SocketAddr),
    /// `localhost:8000`: resolved when the socket is opened.
    Host(String, u16),
    /// `:8000`: every IPv4 and IPv6 address.
    Any(u16),
    /// `unix:/run/app.sock`.
    Unix(PathBuf),
    /// `fd://3`: inherited.
    Fd(i32),
    /// `fd://web`: every socket that the service manager passed under this name.
    Named(String),
}

/// Whom a file is given to, by name or number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owner {
    /// The user, if it is to be another one.
    pub user: Option<String>,
    /// The group, if it is to be another one.
    pub group: Option<String>,
}

/// Which protocols a listener accepts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum BindProtocol {
    /// The first byte of each connection decides.
    #[default]
    Auto,
    /// HTTP only.
    Http,
    /// uwsgi only.
    Uwsgi,
}

/// Which versions of the PROXY protocol begin each connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ProxyProtocol {
    /// None, but for addresses that are marked for it, which take both versions.
    #[default]
    Off,
    /// Either.
    Auto,
    /// The text of version 1.
    V1,
    /// The binary form of version 2.
    V2,
}

/// An address range in CIDR form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    /// The network address.
    pub address: IpAddr,
    /// How many leading bits count.
    pub prefix: u8,
}

/// Peers by address: `127.0.0.1,10.0.0.0/8,unix,*`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Peers {
    /// `*`: everybody.
    pub everyone: bool,
    /// `unix`: every unix socket.
    pub unix: bool,
    /// Address ranges.
    pub networks: Vec<Network>,
    /// Whether the user named these peers, rather than the default doing so.
    pub explicit: bool,
}

/// Where the socket of the operator's commands is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ControlSocket {
    /// Where the commands look for it.
    Default,
    /// Nowhere.
    Off,
    /// At this path.
    At(PathBuf),
}
