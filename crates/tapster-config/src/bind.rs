//! The addresses of `--bind` as text, and what to write instead of the usual near misses.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use crate::error::Invalid;
use crate::settings::{Bind, BindPlace};

/// The mark of a place whose connections begin with a PROXY header.
const PROXY_MARK: &str = "+proxy";

/// The longest path of a unix socket in bytes: `sun_path` less its NUL.
const UNIX_PATH_MAX: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

impl Bind {
    /// Reads a place, with `+proxy` behind it if its connections begin with a PROXY header.
    ///
    /// # Errors
    /// For anything else, with the nearest right spelling.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let (place, proxy_protocol) = match text.strip_suffix(PROXY_MARK) {
            Some(place) => (place, true),
            None => (text, false),
        };
        Ok(Self { place: BindPlace::parse(place)?, proxy_protocol })
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.place, if self.proxy_protocol { PROXY_MARK } else { "" })
    }
}

impl BindPlace {
    /// Whether the port is 0: the system chooses a free one.
    pub fn lets_the_system_choose(&self) -> bool {
        match self {
            BindPlace::Inet(address) => address.port() == 0,
            BindPlace::Host(_, port) | BindPlace::Any(port) => *port == 0,
            BindPlace::Unix(_) | BindPlace::Fd(_) | BindPlace::Named(_) => false,
        }
    }

    /// Reads `host:port`, `[::1]:port`, `:port`, `unix:/path`, `fd://N` or `fd://NAME`.
    ///
    /// # Errors
    /// For anything else, with the nearest right spelling.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if let Some(path) = text.strip_prefix("unix:") {
            return unix(path);
        }
        if let Some(number) = text.strip_prefix("fd://") {
            return descriptor(text, number);
        }
        if let Some(port) = text.strip_prefix(':').and_then(port) {
            return Ok(Self::Any(port));
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self::Inet(address));
        }
        match text.rsplit_once(':') {
            Some((host, digits)) if host.contains(['/', ':']) || digits.starts_with("//") => {
                Err(near_miss(text))
            }
            Some((host, digits)) if is_host_name(host) => match port(digits) {
                Some(port) => Ok(Self::Host(host.to_owned(), port)),
                None => Err(bad_port(text, digits)),
            },
            Some((host, digits)) if host.parse::<IpAddr>().is_ok() => Err(bad_port(text, digits)),
            _ => Err(near_miss(text)),
        }
    }
}

impl fmt::Display for BindPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => address.fmt(f),
            Self::Host(host, port) => write!(f, "{host}:{port}"),
            Self::Any(port) => write!(f, ":{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Fd(number) => write!(f, "fd://{number}"),
            Self::Named(name) => write!(f, "fd://{name}"),
        }
    }
}

/// A port number; 0 lets the kernel choose.
fn port(digits: &str) -> Option<u16> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

fn bad_port(text: &str, digits: &str) -> Invalid {
    Invalid::with_hint(format!("{digits:?} in {text:?} is not a port"), "a port is a number from 0 to 65535")
}

/// A name that a resolver may know. Digits and dots alone would be a mistyped IPv4 address.
fn is_host_name(host: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    host.bytes().all(known) && host.bytes().any(|byte| byte.is_ascii_alphabetic())
}

fn unix(path: &str) -> Result<BindPlace, Invalid> {
    let path = if path.starts_with("///") { &path[2..] } else { path };
    if path.is_empty() || path.starts_with("//") || path.contains('\0') {
        return Err(Invalid::with_hint(
            format!("{:?} names no unix socket", format!("unix:{path}")),
            "write unix:/run/app.sock",
        ));
    }
    if path.starts_with('@') {
        return Err(Invalid::with_hint(
            format!(
                "{:?} is an abstract socket, which has no access mode and is not supported",
                format!("unix:{path}")
            ),
            "use a path, such as unix:/run/app.sock",
        ));
    }
    if path.len() > UNIX_PATH_MAX {
        return Err(Invalid::with_hint(
            format!("the socket path {path:?} has {} bytes", path.len()),
            format!("the system allows {UNIX_PATH_MAX}; use a shorter directory such as /run"),
        ));
    }
    Ok(BindPlace::Unix(PathBuf::from(path)))
}

fn descriptor(text: &str, which: &str) -> Result<BindPlace, Invalid> {
    let looks_like_a_number = which.starts_with(|first: char| first.is_ascii_digit() || first == '-');
    match which.parse::<i32>() {
        Ok(number) if number >= 0 => Ok(BindPlace::Fd(number)),
        Err(_) if !looks_like_a_number && is_socket_name(which) => Ok(BindPlace::Named(which.to_owned())),
        _ => Err(Invalid::with_hint(
            format!("{text:?} names no file descriptor"),
            "write fd:// and the number of an inherited listening socket, such as fd://3, or the name that \
             systemd gave it (FileDescriptorName=), such as fd://web",
        )),
    }
}

/// Whether a service manager may give a socket this name (systemd.socket(5)).
fn is_socket_name(name: &str) -> bool {
    (1..=255).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':')
}

fn near_miss(text: &str) -> Invalid {
    let message = format!("{text:?} is not an address to listen on");
    Invalid { message, hint: suggestion(text).map(|right| format!("did you mean {right}?")) }
}

fn suggestion(text: &str) -> Option<String> {
    if text.is_empty() {
        return None;
    }
    if let Some((_, rest)) = text.split_once("://") {
        let rest = rest.trim_end_matches('/');
        return BindPlace::parse(rest).ok().map(|bind| bind.to_string()).or_else(|| suggestion(rest));
    }
    if port(text).is_some() {
        return Some(format!("127.0.0.1:{text} (this machine only) or :{text} (every address)"));
    }
    if let Some(port) = text.strip_prefix("*:").and_then(port) {
        return Some(format!(":{port}"));
    }
    if text.contains('/') || text.ends_with(".sock") || text.ends_with(".socket") {
        return BindPlace::parse(&format!("unix:{text}")).ok().map(|bind| bind.to_string());
    }
    unbracketed(text).or_else(|| is_host_name(text).then(|| format!("{text}:8000")))
}

/// `::1`, `::1:8000`, `127.0.0.1`: addresses without a port or brackets.
fn unbracketed(text: &str) -> Option<String> {
    match text.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => return Some(format!("{address}:8000")),
        Ok(IpAddr::V6(address)) if !ends_in_port(text) => return Some(format!("[{address}]:8000")),
        _ => {}
    }
    let (host, digits) = text.rsplit_once(':')?;
    let address: Ipv6Addr = host.parse().ok()?;
    Some(format!("[{address}]:{}", port(digits)?))
}

/// Whether the last part has the look of a port, as in `::1:8000`, which also reads as an address.
fn ends_in_port(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, digits)| {
        digits.len() >= 2 && port(digits).is_some() && host.parse::<Ipv6Addr>().is_ok()
    })
}
