//! Listeners that were opened by somebody else: systemd, a process manager, an earlier Tapster.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, sockopt};

use super::{Address, Backlog, Cause, Listener, Opening};

/// The listener behind an inherited descriptor, which the server before this one may have handed over under another
/// number.
pub fn open(opening: &mut Opening<'_>, number: RawFd) -> Result<Listener, Cause> {
    match opening.handed.find_place(opening.place) {
        Some(handed) => Ok(handed),
        None => take(number, opening.backlog),
    }
}

/// The listener behind an inherited descriptor. Its number belongs to the listener from now on: what forgets the one in
/// a child, forgets the other.
pub fn take(number: RawFd, backlog: Backlog) -> Result<Listener, Cause> {
    let socket = look(number)?;
    let (address, dual_stack) = examine(&socket, backlog)?;
    // SAFETY: the number is an open listening socket that nobody in this process has opened; it was inherited for us.
    let socket = unsafe { OwnedFd::from_raw_fd(number) };
    crate::process::set_close_on_exec(socket.as_fd())?;
    Ok(Listener::new(socket, address, dual_stack, backlog))
}

/// Where a socket listens, and whether for both families. Makes it listen if it does not, and not block.
fn examine(socket: &BorrowedFd<'_>, backlog: Backlog) -> Result<(Address, bool), Cause> {
    match sockopt::socket_type(socket) {
        Ok(SocketType::STREAM) => {}
        Ok(_) => return Err(Cause::NotAStream),
        Err(Errno::NOTSOCK) => return Err(Cause::NotASocket),
        Err(error) => return Err(error.into()),
    }
    let name = rustix::net::getsockname(socket)?;
    let family = name.address_family();
    let address = match family {
        AddressFamily::INET | AddressFamily::INET6 => {
            sockopt::set_tcp_nodelay(socket, true)?;
            Address::Inet(SocketAddr::try_from(name)?)
        }
        AddressFamily::UNIX => Address::Unix(path_of(&SocketAddrUnix::try_from(name)?)),
        _ => return Err(Cause::NotAStream),
    };
    if !is_listening(socket)? {
        rustix::net::listen(socket, backlog.as_raw())?;
    }
    rustix::io::ioctl_fionbio(socket, true)?;
    let dual_stack = family == AddressFamily::INET6 && !sockopt::ipv6_v6only(socket)?;
    Ok((address, dual_stack))
}

/// Whether somebody called `listen` already. macOS does not tell; to call it again only changes the backlog.
fn is_listening(socket: &BorrowedFd<'_>) -> Result<bool, Cause> {
    #[cfg(not(target_vendor = "apple"))]
    return Ok(sockopt::socket_acceptconn(socket)?);
    #[cfg(target_vendor = "apple")]
    {
        let _ = socket;
        Ok(false)
    }
}

/// The descriptor with this number, to look at.
fn look<'a>(number: RawFd) -> Result<BorrowedFd<'a>, Cause> {
    if number < 3 {
        return Err(Cause::Reserved);
    }
    // SAFETY: `F_GETFD` only asks whether the number is open.
    if unsafe { libc::fcntl(number, libc::F_GETFD) } < 0 {
        return Err(Cause::NotOpen);
    }
    // SAFETY: the number is open, and nobody closes it before its caller is done: descriptors that the operator
    // names belong to nobody in this process, which has one thread when it opens its listeners.
    Ok(unsafe { BorrowedFd::borrow_raw(number) })
}

fn path_of(name: &SocketAddrUnix) -> PathBuf {
    let bytes = name.path_bytes().map(<[u8]>::to_vec).unwrap_or_default();
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}
