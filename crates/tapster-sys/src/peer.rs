//! Who is at the other end of a unix socket. Asked by the supervisor before it listens to an operator.

use std::io;
use std::os::fd::BorrowedFd;

/// The user that the peer's process ran as when it connected, as this user namespace numbers it (`SO_PEERCRED`).
///
/// # Errors
/// When the descriptor is not a connected unix socket.
#[cfg(target_os = "linux")]
pub fn user(socket: BorrowedFd<'_>) -> io::Result<u32> {
    Ok(rustix::net::sockopt::socket_peercred(socket)?.uid.as_raw())
}

/// The user that the peer's process ran as when it connected (`getpeereid`).
///
/// # Errors
/// When the descriptor is not a connected unix socket.
#[cfg(not(target_os = "linux"))]
pub fn user(socket: BorrowedFd<'_>) -> io::Result<u32> {
    use std::os::fd::AsRawFd;
    let (mut user, mut group) = (0, 0);
    // SAFETY: both pointers are to numbers of the right type; the descriptor is open for the call.
    match unsafe { libc::getpeereid(socket.as_raw_fd(), &raw mut user, &raw mut group) } {
        0 => Ok(user),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The user that this process acts as.
pub fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The group that this process acts as.
pub fn own_group() -> u32 {
    rustix::process::getegid().as_raw()
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_peer_in_this_process_is_this_user() {
        let (one, _other) = UnixStream::pair().unwrap();
        assert_eq!(user(one.as_fd()).unwrap(), own_user());
        let (pipe, _writer) = io::pipe().unwrap();
        assert!(user(pipe.as_fd()).is_err());
    }
}
