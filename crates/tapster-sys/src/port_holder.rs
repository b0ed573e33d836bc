//! Who holds an address that we cannot have: asked once, for an error message. Linux only; elsewhere nobody is named.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::{fs, io};

use crate::process::Pid;

/// A process that listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holder {
    /// Its number.
    pub pid: Pid,
    /// The name of its program, at most 15 bytes.
    pub command: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} ({})", self.pid, self.command)
    }
}

/// Who listens on this TCP address, or on one that covers it. None when that is unknown: processes of other users
/// do not show their descriptors.
pub fn of_tcp(address: SocketAddr) -> Option<Holder> {
    let inodes: Vec<u64> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|text| text.lines().filter_map(listening_socket).collect::<Vec<_>>())
        .filter(|(found, _)| clash(*found, address))
        .map(|(_, inode)| inode)
        .collect();
    holder_of(&inodes)
}

/// Who listens on the unix socket at this absolute path.
pub fn of_unix(path: &Path) -> Option<Holder> {
    let table = fs::read("/proc/net/unix").ok()?;
    let text = String::from_utf8_lossy(&table);
    let inodes: Vec<u64> = text.lines().filter_map(|line| unix_socket(line, path)).collect();
    holder_of(&inodes)
}

/// Address and inode of a line of `/proc/net/tcp` that is in state LISTEN:
/// `sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …`.
fn listening_socket(line: &str) -> Option<(SocketAddr, u64)> {
    let mut parts = line.split_ascii_whitespace();
    let (address, port) = parts.nth(1)?.split_once(':')?;
    if parts.nth(1)? != "0A" {
        return None;
    }
    let inode = parts.nth(5)?.parse().ok()?;
    Some((SocketAddr::new(ip(address)?, u16::from_str_radix(port, 16).ok()?), inode))
}

/// Addresses are printed as 32-bit words in the machine's byte order.
fn ip(text: &str) -> Option<IpAddr> {
    let word = |text: &str| u32::from_str_radix(text, 16).map(u32::to_ne_bytes).ok();
    match text.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(text)?))),
        32 => {
            let mut bytes = [0; 16];
            for (place, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(text.get(place * 8..place * 8 + 8)?)?);
            }
            Some(IpAddr::V6(Ipv6Addr::from(bytes)))
        }
        _ => None,
    }
}

/// Whether two listeners cannot both be: same port, and same address or one of them means all.
fn clash(found: SocketAddr, wanted: SocketAddr) -> bool {
    found.port() == wanted.port()
        && (found.ip() == wanted.ip() || found.ip().is_unspecified() || wanted.ip().is_unspecified())
}

/// The inode of a line of `/proc/net/unix` with this path: `Num RefCount Protocol Flags Type St Inode Path`.
fn unix_socket(line: &str, path: &Path) -> Option<u64> {
    let mut parts = line.splitn(8, ' ').map(str::trim);
    let inode = parts.nth(6)?;
    (Path::new(parts.next()?) == path).then(|| inode.parse().ok())?
}

/// The first process that has one of these sockets open.
fn holder_of(inodes: &[u64]) -> Option<Holder> {
    if inodes.is_empty() {
        return None;
    }
    let links: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    let mut pids: Vec<i32> = fs::read_dir("/proc").ok()?.filter_map(pid_of).collect();
    // The lowest number is most often the parent of a server's processes.
    pids.sort_unstable();
    let holds =
        |pid: &i32| fs::read_dir(format!("/proc/{pid}/fd")).is_ok_and(|entries| has_link(entries, &links));
    let pid = pids.into_iter().find(holds)?;
    let command = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some(Holder { pid: Pid::from_raw(pid), command: command.trim_end().to_owned() })
}

fn pid_of(entry: io::Result<fs::DirEntry>) -> Option<i32> {
    entry.ok()?.file_name().to_str()?.parse().ok()
}

fn has_link(entries: fs::ReadDir, links: &[String]) -> bool {
    entries
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .any(|target| target.to_str().is_some_and(|target| links.iter().any(|link| link == target)))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn lines_of_the_kernel_are_read() {
        let line = "   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 42 1 0";
        let expected = (SocketAddr::from(([127, 0, 0, 1], 8080)), 42);
        assert_eq!(listening_socket(line), Some(expected).filter(|_| cfg!(target_endian = "little")));
        assert_eq!(listening_socket(&line.replace(" 0A ", " 01 ")), None);
        assert_eq!(listening_socket("  sl  local_address rem_address st tx_queue"), None);
        let line = "0000000000000000: 00000002 00000000 00010000 0001 01 1234 /run/a b.sock";
        assert_eq!(unix_socket(line, Path::new("/run/a b.sock")), Some(1234));
        assert_eq!(unix_socket(line, Path::new("/run/a")), None);
        assert_eq!(unix_socket("Num RefCount Protocol Flags Type St Inode Path", Path::new("/run/a")), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_holder_of_a_port_is_named() {
        for bind in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0"] {
            let Ok(listener) = TcpListener::bind(bind) else { continue };
            let port = listener.local_addr().unwrap().port();
            let mut wanted: SocketAddr = bind.parse().unwrap();
            wanted.set_port(port);
            assert_eq!(of_tcp(wanted).unwrap().pid, Pid::current(), "{bind}");
            drop(listener);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_holder_of_a_path_is_named() {
        let path = std::env::temp_dir().join(format!("tapster-holder-{}", std::process::id()));
        let _listener = UnixListener::bind(&path).unwrap();
        assert_eq!(of_unix(&path).unwrap().pid, Pid::current());
        fs::remove_file(&path).unwrap();
        assert_eq!(of_unix(Path::new("/nonexistent")), None);
    }
}
