//! What an error of `accept` means for whoever accepts (accept(2), "Error handling").

use std::io;

/// Whose trouble an error is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// Of that one client, which is gone: the next may be taken.
    Client,
    /// This process, or the system, has no descriptor to give (EMFILE, ENFILE).
    NoDescriptor,
    /// The system has no memory for another socket (ENOBUFS, ENOMEM).
    NoMemory,
    /// Of the listener itself: it was shut down elsewhere, or is none.
    Listener,
}

impl Trouble {
    /// Says what an error of `accept` other than `WouldBlock` means.
    pub fn of(error: &io::Error) -> Trouble {
        match error.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE) => Trouble::NoDescriptor,
            Some(libc::ENOBUFS | libc::ENOMEM) => Trouble::NoMemory,
            Some(libc::EBADF | libc::EINVAL | libc::ENOTSOCK | libc::EOPNOTSUPP | libc::EFAULT) => {
                Trouble::Listener
            }
            // Linux also passes on what the network said of the new connection, and what a firewall forbids.
            _ => Trouble::Client,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_apart() {
        for (number, trouble) in [
            (libc::ECONNABORTED, Trouble::Client),
            (libc::EINTR, Trouble::Client),
            (libc::EPROTO, Trouble::Client),
            (libc::EPERM, Trouble::Client),
            (libc::ENETDOWN, Trouble::Client),
            (libc::EMFILE, Trouble::NoDescriptor),
            (libc::ENFILE, Trouble::NoDescriptor),
            (libc::ENOBUFS, Trouble::NoMemory),
            (libc::ENOMEM, Trouble::NoMemory),
            (libc::EINVAL, Trouble::Listener),
            (libc::EBADF, Trouble::Listener),
        ] {
            assert_eq!(Trouble::of(&io::Error::from_raw_os_error(number)), trouble, "{number}");
        }
    }

    #[test]
    fn a_listener_that_is_shut_down_is_in_trouble_itself() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        rustix::net::shutdown(&listener, rustix::net::Shutdown::Both).unwrap();
        assert_eq!(Trouble::of(&listener.accept().unwrap_err()), Trouble::Listener);
    }
}
