//! Connected sockets: how far the peer is, and how to end without a goodbye. Used by the worker's loop, for slow peers
//! only.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// How many written bytes the peer's system has not acknowledged yet. For a unix socket on Linux: the memory that they
/// take, which is more.
///
/// # Errors
/// When the descriptor is not a socket.
pub fn unacknowledged(socket: BorrowedFd<'_>) -> io::Result<u64> {
    queued(socket).map(|bytes| u64::try_from(bytes).unwrap_or(0))
}

#[cfg(target_os = "linux")]
fn queued(socket: BorrowedFd<'_>) -> io::Result<libc::c_int> {
    use std::os::fd::AsRawFd;
    let mut bytes: libc::c_int = 0;
    // SAFETY: SIOCOUTQ, which is TIOCOUTQ, writes one int through the pointer; the descriptor is open for the call.
    match unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) } {
        0 => Ok(bytes),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(not(target_os = "linux"))]
fn queued(socket: BorrowedFd<'_>) -> io::Result<libc::c_int> {
    use std::os::fd::AsRawFd;
    let mut bytes: libc::c_int = 0;
    let mut size = size_of::<libc::c_int>() as libc::socklen_t;
    let option = libc::SO_NWRITE;
    // SAFETY: the pointers are to an int and to its size; the descriptor is open for the call.
    let result = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, (&raw mut bytes).cast(), &raw mut size)
    };
    if result == 0 { Ok(bytes) } else { Err(io::Error::last_os_error()) }
}

/// How many packets, or for a listener connections, the system has dropped at this socket for want of room.
///
/// # Errors
/// When the descriptor is not a socket, or the system does not tell (other systems than Linux 4.12 and later).
#[cfg(target_os = "linux")]
pub fn drops(socket: BorrowedFd<'_>) -> io::Result<u32> {
    use std::os::fd::AsRawFd;
    /// The place of SK_MEMINFO_DROPS, which is the last.
    const DROPS: usize = 8;
    let mut values = [0_u32; DROPS + 1];
    let mut size = size_of_val(&values) as libc::socklen_t;
    let (level, option) = (libc::SOL_SOCKET, libc::SO_MEMINFO);
    // SAFETY: the pointers are to an array and to its size, which bounds what is written; the descriptor is open for the call.
    let result = unsafe {
        libc::getsockopt(socket.as_raw_fd(), level, option, values.as_mut_ptr().cast(), &raw mut size)
    };
    if result == 0 { Ok(values[DROPS]) } else { Err(io::Error::last_os_error()) }
}

/// How many packets, or for a listener connections, the system has dropped at this socket for want of room.
///
/// # Errors
/// Always: this system does not tell.
#[cfg(not(target_os = "linux"))]
pub fn drops(_: BorrowedFd<'_>) -> io::Result<u32> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Has a TCP connection end with a reset when its last descriptor is closed, and what the peer did not take dropped.
///
/// # Errors
/// When the descriptor is not a socket.
pub fn reset_on_close(socket: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_socket_linger(socket, Some(Duration::ZERO))?)
}

/// Tells the peer that nothing more is written.
///
/// # Errors
/// When the descriptor is not a connected socket.
pub fn end_writing(socket: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::net::shutdown(socket, rustix::net::Shutdown::Write)?)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    use super::*;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn connections_that_find_no_room_are_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        rustix::net::listen(&listener, 1).unwrap();
        assert_eq!(drops(listener.as_fd()).unwrap(), 0);
        let address = listener.local_addr().unwrap();
        // The system takes one more than it was told to.
        let patience = Duration::from_millis(50);
        let clients: Vec<_> = (0..4).map(|_| TcpStream::connect_timeout(&address, patience)).collect();
        assert!(clients.iter().any(Result::is_err));
        assert!(drops(listener.as_fd()).unwrap() > 0);
    }

    #[test]
    fn what_the_peer_has_not_room_for_is_unacknowledged() {
        let (mut client, mut server) = pair();
        server.set_nonblocking(true).unwrap();
        assert_eq!(unacknowledged(server.as_fd()).unwrap(), 0);
        let piece = [0; 1 << 16];
        while server.write(&piece).is_ok() {}
        let full = unacknowledged(server.as_fd()).unwrap();
        assert!(full > 0);
        // All that the client can get, it gets; then the rest is at its side.
        server.shutdown(std::net::Shutdown::Write).unwrap();
        client.read_to_end(&mut Vec::new()).unwrap();
        assert!(unacknowledged(server.as_fd()).unwrap() < full);
    }

    #[test]
    fn a_reset_is_what_the_peer_sees() {
        let (mut client, server) = pair();
        reset_on_close(server.as_fd()).unwrap();
        drop(server);
        let error = client.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
}
