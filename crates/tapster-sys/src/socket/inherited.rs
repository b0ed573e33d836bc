//! Listeners that were opened by somebody else: systemd, a process manager, an earlier Tapster.

use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, sockopt};

use super::{Address, Backlog, Cause, Listener};

/// The listener behind an inherited descriptor. The number itself stays open, now close-on-exec, for as long as
/// the process lives.
pub fn open(number: RawFd, backlog: Backlog) -> Result<Listener, Cause> {
    let socket = duplicate(number)?;
    match sockopt::socket_type(&socket) {
        Ok(SocketType::STREAM) => {}
        Ok(_) => return Err(Cause::NotAStream),
        Err(Errno::NOTSOCK) => return Err(Cause::NotASocket),
        Err(error) => return Err(error.into()),
    }
    let name = rustix::net::getsockname(&socket)?;
    let family = name.address_family();
    let address = match family {
        AddressFamily::INET | AddressFamily::INET6 => {
            sockopt::set_tcp_nodelay(&socket, true)?;
            Address::Inet(SocketAddr::try_from(name)?)
        }
        AddressFamily::UNIX => Address::Unix(path_of(&SocketAddrUnix::try_from(name)?)),
        _ => return Err(Cause::NotAStream),
    };
    if !is_listening(&socket)? {
        rustix::net::listen(&socket, backlog.as_raw())?;
    }
    rustix::io::ioctl_fionbio(&socket, true)?;
    let dual_stack = family == AddressFamily::INET6 && !sockopt::ipv6_v6only(&socket)?;
    Ok(Listener { socket, address, dual_stack, backlog, proxied: false, file: None })
}

/// Whether somebody called `listen` already. macOS does not tell; to call it again only changes the backlog.
fn is_listening(socket: &OwnedFd) -> Result<bool, Cause> {
    #[cfg(not(target_vendor = "apple"))]
    return Ok(sockopt::socket_acceptconn(socket)?);
    #[cfg(target_vendor = "apple")]
    {
        let _ = socket;
        Ok(false)
    }
}

/// A handle of our own, so that nobody else who knows the number can close it under us.
fn duplicate(number: RawFd) -> Result<OwnedFd, Cause> {
    if number < 3 {
        return Err(Cause::Reserved);
    }
    // SAFETY: `F_GETFD` only asks whether the number is open.
    if unsafe { libc::fcntl(number, libc::F_GETFD) } < 0 {
        return Err(Cause::NotOpen);
    }
    // SAFETY: the number is open, and nobody closes it before this function returns: descriptors that the operator
    // names belong to nobody in this process, which has one thread when it opens its listeners.
    let inherited = unsafe { BorrowedFd::borrow_raw(number) };
    let own = inherited.try_clone_to_owned()?;
    crate::process::set_close_on_exec(inherited)?;
    Ok(own)
}

fn path_of(name: &SocketAddrUnix) -> PathBuf {
    let bytes = name.path_bytes().map(<[u8]>::to_vec).unwrap_or_default();
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}
