//! How many clients wait to be accepted, as the system counts them. Asked by the supervisor when somebody wants to know.

use std::io;
use std::os::fd::BorrowedFd;

/// Connections that wait in the queue of a listening TCP socket.
///
/// # Errors
/// When the descriptor is no TCP socket, or the system does not tell (other systems than Linux).
#[cfg(target_os = "linux")]
pub fn of_inet(listener: BorrowedFd<'_>) -> io::Result<u32> {
    use std::os::fd::AsRawFd;
    // SAFETY: the structure consists of numbers, for which zero is a value.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut size = size_of_val(&info) as libc::socklen_t;
    let (level, option) = (libc::IPPROTO_TCP, libc::TCP_INFO);
    // SAFETY: the pointers are to the structure and to its size, which bounds what is written; the descriptor is open for the call.
    let result = unsafe {
        libc::getsockopt(listener.as_raw_fd(), level, option, (&raw mut info).cast(), &raw mut size)
    };
    // For a listener this field has the length of its queue.
    if result == 0 { Ok(info.tcpi_unacked) } else { Err(io::Error::last_os_error()) }
}

/// Connections that wait in the queue of a listening unix socket.
///
/// # Errors
/// When the descriptor is no unix socket, or the system does not tell (other systems than Linux, kernels without
/// `CONFIG_UNIX_DIAG`).
#[cfg(target_os = "linux")]
pub fn of_unix(listener: BorrowedFd<'_>) -> io::Result<u32> {
    use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};
    let inode = rustix::fs::fstat(listener)?.st_ino;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let protocol = Some(netlink::SOCK_DIAG);
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?;
    let inode = u32::try_from(inode).map_err(|_| io::ErrorKind::InvalidData)?;
    rustix::net::send(&socket, &unix_diag::request(inode), SendFlags::empty())?;
    // The system has answered when it took the request.
    let mut answer = [0; 1024];
    let (length, _) = rustix::net::recv(&socket, &mut answer, RecvFlags::empty())?;
    unix_diag::queue(answer.get(..length).unwrap_or_default()).ok_or(io::ErrorKind::Unsupported.into())
}

/// Connections that wait in the queue of a listening TCP socket.
///
/// # Errors
/// Always: this system does not tell.
#[cfg(not(target_os = "linux"))]
pub fn of_inet(_: BorrowedFd<'_>) -> io::Result<u32> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Connections that wait in the queue of a listening unix socket.
///
/// # Errors
/// Always: this system does not tell.
#[cfg(not(target_os = "linux"))]
pub fn of_unix(_: BorrowedFd<'_>) -> io::Result<u32> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The messages of `linux/unix_diag.h`, in the byte order of the machine.
#[cfg(target_os = "linux")]
mod unix_diag {
    /// SOCK_DIAG_BY_FAMILY, which is the type of requests and of answers.
    const BY_FAMILY: u16 = 20;
    /// NLM_F_REQUEST
    const REQUEST: u16 = 1;
    /// UDIAG_SHOW_RQLEN
    const SHOW_QUEUE: u32 = 0x10;
    /// UNIX_DIAG_RQLEN
    const QUEUE: u16 = 4;
    /// Bytes of a netlink header, and of what stands before the attributes behind it.
    const HEADER: usize = 16;
    const FIXED: usize = 16;

    /// Asks for the queue of the socket with this inode.
    pub fn request(inode: u32) -> Vec<u8> {
        const LENGTH: u32 = 40;
        let family = 1_u8;
        let mut bytes = Vec::with_capacity(LENGTH as usize);
        bytes.extend(LENGTH.to_ne_bytes());
        bytes.extend(BY_FAMILY.to_ne_bytes());
        bytes.extend(REQUEST.to_ne_bytes());
        // Sequence and port.
        bytes.extend([0; 8]);
        // Family, protocol and padding.
        bytes.extend([family, 0, 0, 0]);
        // In any state; any cookie.
        for word in [u32::MAX, inode, SHOW_QUEUE, u32::MAX, u32::MAX] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes
    }

    /// The length of the queue in an answer; none if it is something else.
    pub fn queue(answer: &[u8]) -> Option<u32> {
        let half = |bytes: &[u8], at: usize| {
            bytes.get(at..at + 2).and_then(|two| two.try_into().ok()).map(u16::from_ne_bytes)
        };
        if half(answer, 4)? != BY_FAMILY {
            return None;
        }
        let mut attributes = answer.get(HEADER + FIXED..)?;
        loop {
            let (length, kind) = (usize::from(half(attributes, 0)?), half(attributes, 2)?);
            if kind == QUEUE {
                return Some(u32::from_ne_bytes(attributes.get(4..8)?.try_into().ok()?));
            }
            // Attributes begin at multiples of four.
            attributes = attributes.get(length.max(4).next_multiple_of(4)..)?;
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    #[test]
    fn those_who_wait_at_a_tcp_socket_are_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(of_inet(listener.as_fd()).unwrap(), 0);
        let address = listener.local_addr().unwrap();
        let clients = [(); 3].map(|()| TcpStream::connect(address).unwrap());
        assert_eq!(of_inet(listener.as_fd()).unwrap(), 3);
        listener.accept().unwrap();
        assert_eq!((of_inet(listener.as_fd()).unwrap(), clients.len()), (2, 3));
    }

    #[test]
    fn those_who_wait_at_a_unix_socket_are_counted() {
        let path = std::env::temp_dir().join(format!("tapster-queue-{}", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        let clients = [(); 3].map(|()| UnixStream::connect(&path).unwrap());
        match of_unix(listener.as_fd()) {
            Ok(count) => assert_eq!((count, clients.len()), (3, 3)),
            Err(error) => println!("this kernel does not tell: {error}"),
        }
        std::fs::remove_file(&path).unwrap();
        assert!(of_unix(TcpListener::bind("127.0.0.1:0").unwrap().as_fd()).is_err());
    }

    #[test]
    fn an_answer_is_read_whole_or_not_at_all() {
        let mut answer = vec![0; 32];
        answer[4..6].copy_from_slice(&20_u16.to_ne_bytes());
        for (length, kind, value) in [(5_u16, 0_u16, 7_u32), (12, 4, 3)] {
            answer.extend(length.to_ne_bytes());
            answer.extend(kind.to_ne_bytes());
            answer.extend(value.to_ne_bytes());
        }
        assert_eq!(unix_diag::queue(&answer), Some(3));
        assert!((0..answer.len()).all(|length| unix_diag::queue(&answer[..length]).is_none()));
        answer[4] = 2;
        assert_eq!(unix_diag::queue(&answer), None);
    }
}
