//! The end of a listener: new clients are turned away so that none is accepted by the kernel and then cut off. Run by the
//! supervisor when the server stops.
//!
//! Closing a listener resets the connections that wait in its queue, and there is no telling it to take no more and keep those it
//! has. So its socket first gets a filter that drops every SYN: the handshakes under way complete, the workers empty the queue,
//! and then it ends. A client that came in between sends its SYN again after a second, and is refused or finds the next server.

use super::{Address, Listener};

impl Listener {
    /// Whether nobody but this server listens there, as a service manager does at what it opened.
    pub fn is_own(&self) -> bool {
        self.own || self.file.is_some()
    }

    /// Whether new clients can be turned away: an internet address that no service manager listens at as well. (A unix
    /// socket's are when its file is gone.)
    pub fn can_turn_away(&self) -> bool {
        self.own && matches!(self.address, Address::Inet(_))
    }

    /// From now on no new client gets into the queue; those that are in it can be accepted. For every process that has
    /// the socket. Where the system has no such filter (macOS) nothing happens.
    pub fn turn_away(&self) {
        #[cfg(target_os = "linux")]
        // Without the filter, clients that come in the next moment are cut off: no reason to stay.
        let _unfiltered = drop_syns(&self.socket);
    }

    /// Ends it for every process that has the socket: who connects is refused, who waits in the queue is cut off.
    pub fn end(&self) {
        // Ended already by a server that shared it.
        let _already = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
    }
}

/// Attaches a filter that drops the segments which open a connection. Accepted connections inherit it, and get none of them.
#[cfg(target_os = "linux")]
fn drop_syns(socket: &std::os::fd::OwnedFd) -> std::io::Result<()> {
    use std::os::fd::AsRawFd;

    /// Where the flags are in a TCP header, and the one that asks for a connection.
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    const LOAD_BYTE: u32 = libc::BPF_LD | libc::BPF_B | libc::BPF_ABS;
    const JUMP_IF_SET: u32 = libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K;
    const RETURN: u32 = libc::BPF_RET | libc::BPF_K;
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut steps = [
        step(LOAD_BYTE, 0, 0, FLAGS),
        step(JUMP_IF_SET, 0, 1, SYN),
        step(RETURN, 0, 0, 0),
        step(RETURN, 0, 0, u32::MAX),
    ];
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    // SAFETY: the program and its steps live until the call returns; the kernel copies and checks them.
    let attached = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    if attached == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::{SocketAddr, TcpStream};

    use super::*;
    use crate::socket::Place;

    fn listener() -> (Listener, SocketAddr) {
        let place = Place::Inet(SocketAddr::from(([127, 0, 0, 1], 0)));
        let listener = Listener::open(&place, None).unwrap().remove(0);
        let Address::Inet(address) = *listener.address() else { unreachable!() };
        (listener, address)
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn who_waits_is_served_and_who_comes_is_not() {
        use std::io::{Read, Write};
        use std::time::Duration;

        let (listener, address) = listener();
        assert!(listener.can_turn_away());
        let mut early = TcpStream::connect(address).unwrap();
        listener.turn_away();
        let late = TcpStream::connect_timeout(&address, Duration::from_millis(200)).unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        let mut served = std::fs::File::from(listener.accept().unwrap());
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        listener.end();
        served.write_all(b"here").unwrap();
        let mut heard = [0; 4];
        early.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"here");
    }

    #[test]
    fn after_the_end_clients_are_refused_though_the_socket_is_open() {
        let (listener, address) = listener();
        let elsewhere = listener.try_clone().unwrap();
        listener.end();
        listener.end();
        assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert!(elsewhere.accept().is_err());
    }

    #[test]
    fn sockets_of_others_are_left_alone() {
        let (listener, _) = listener();
        let text = super::super::describe_for_successor([&listener]);
        assert!(text.contains(",own="), "{text}");
        assert!(!listener.try_clone().unwrap().can_turn_away());
    }
}
