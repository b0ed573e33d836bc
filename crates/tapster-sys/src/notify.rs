//! The socket on which a service manager hears how its service does (sd_notify(3)). Written by the supervisor.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The socket of the service manager, and one of our own to write from. Nobody answers.
#[derive(Debug)]
pub struct NotifySocket {
    own: UnixDatagram,
    manager: SocketAddr,
}

impl NotifySocket {
    /// The socket with this name, as `NOTIFY_SOCKET` has it: an absolute path, or `@` and a name of the abstract
    /// namespace.
    ///
    /// # Errors
    /// `Unsupported` for names of another form (systemd's `vsock:` among them); what the system says otherwise. It is not
    /// an error yet when nobody reads there.
    pub fn open(name: &OsStr) -> io::Result<NotifySocket> {
        let manager = match name.as_bytes() {
            [b'@', name @ ..] if !name.is_empty() => abstract_address(name)?,
            [b'/', ..] => SocketAddr::from_pathname(name)?,
            _ => {
                return Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    "neither a path nor an abstract name",
                ));
            }
        };
        let own = UnixDatagram::unbound()?;
        own.set_nonblocking(true)?;
        Ok(NotifySocket { own, manager })
    }

    /// Sends lines of `NAME=value` as one message. Never waits.
    ///
    /// # Errors
    /// What the system says: nobody reads there, or the reader's queue is full.
    pub fn send(&self, lines: &str) -> io::Result<()> {
        self.own.send_to_addr(lines.as_bytes(), &self.manager).map(|_| ())
    }
}

#[cfg(target_os = "linux")]
fn abstract_address(name: &[u8]) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn abstract_address(_name: &[u8]) -> io::Result<SocketAddr> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no abstract names"))
}

/// The time of the system's monotonic clock, which a manager compares with its own.
pub fn monotonic_now() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_arrives_at_a_path() {
        let path = std::env::temp_dir().join(format!("tapster-notify-{}", std::process::id()));
        let manager = UnixDatagram::bind(&path).unwrap();
        let socket = NotifySocket::open(path.as_os_str()).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(socket.send("READY=1").is_err(), "nobody is there under this name any more");
        drop(manager);
        let manager = UnixDatagram::bind(&path).unwrap();
        socket.send("READY=1\nSTATUS=well").unwrap();
        let mut bytes = [0; 64];
        let length = manager.recv(&mut bytes).unwrap();
        assert_eq!(&bytes[..length], b"READY=1\nSTATUS=well");
        std::fs::remove_file(&path).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_message_arrives_at_an_abstract_name() {
        use std::os::linux::net::SocketAddrExt;
        let name = format!("tapster-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        NotifySocket::open(OsStr::new(&format!("@{name}"))).unwrap().send("WATCHDOG=1").unwrap();
        let mut bytes = [0; 64];
        assert_eq!(manager.recv(&mut bytes).unwrap(), 10);
    }

    #[test]
    fn other_names_are_refused() {
        for name in ["", "@", "relative/path", "vsock:2:1234"] {
            assert_eq!(
                NotifySocket::open(OsStr::new(name)).unwrap_err().kind(),
                io::ErrorKind::Unsupported,
                "{name}"
            );
        }
    }

    #[test]
    fn the_clock_goes_forward() {
        let before = monotonic_now();
        assert!(before > Duration::ZERO && monotonic_now() >= before);
    }
}
