//! Files to sockets without a copy through this process.

use std::io;
use std::os::fd::BorrowedFd;

/// Sends up to `count` bytes of `file` from `offset` (sendfile(2)); gives how many. Waits for the disk, not for a socket
/// that is non-blocking. The file's own position stays as it is.
///
/// # Errors
/// `WouldBlock` when the socket has no room; `InvalidInput` or `Unsupported` when this file cannot be sent this way, but
/// may well be read; see also [`is_of_the_file`].
#[cfg(target_os = "linux")]
pub fn send(
    socket: BorrowedFd<'_>,
    file: BorrowedFd<'_>,
    mut offset: u64,
    count: usize,
) -> io::Result<usize> {
    Ok(rustix::io::retry_on_intr(|| rustix::fs::sendfile(socket, file, Some(&mut offset), count))?)
}

/// Not to be had in this form on this system.
#[cfg(not(target_os = "linux"))]
pub fn send(
    _socket: BorrowedFd<'_>,
    _file: BorrowedFd<'_>,
    _offset: u64,
    _count: usize,
) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Reads what is in memory already, without waiting for the disk (Linux: preadv2(2) with RWF_NOWAIT); 0 at the end of the file.
///
/// # Errors
/// `WouldBlock` when the disk has to be waited for, `Unsupported` when the file system cannot tell.
#[cfg(target_os = "linux")]
pub fn read_cached(file: BorrowedFd<'_>, offset: u64, into: &mut [u8]) -> io::Result<usize> {
    use rustix::io::ReadWriteFlags;
    let mut into = [io::IoSliceMut::new(into)];
    Ok(rustix::io::retry_on_intr(|| rustix::io::preadv2(file, &mut into, offset, ReadWriteFlags::NOWAIT))?)
}

/// Not to be had on this system.
#[cfg(not(target_os = "linux"))]
pub fn read_cached(_file: BorrowedFd<'_>, _offset: u64, _into: &mut [u8]) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether an error of [`send`] is a trouble of the file's disk, and not of the socket.
pub fn is_of_the_file(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::IO, Errno::STALE, Errno::NXIO].contains(&Errno::from_io_error(error).unwrap_or(Errno::PIPE))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_part_of_a_file_arrives_and_its_end_is_told() {
        let mut file = tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let (mut reader, socket) = UnixStream::pair().unwrap();
        assert_eq!(send(socket.as_fd(), file.as_fd(), 3, 4).unwrap(), 4);
        assert_eq!(send(socket.as_fd(), file.as_fd(), 8, 100).unwrap(), 2);
        assert_eq!(send(socket.as_fd(), file.as_fd(), 10, 100).unwrap(), 0);
        drop(socket);
        let mut got = Vec::new();
        reader.read_to_end(&mut got).unwrap();
        assert_eq!(got, b"345689");
    }

    #[cfg(target_os = "linux")]
    fn tempfile() -> io::Result<std::fs::File> {
        use rustix::fs::{Mode, OFlags};
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        Ok(rustix::fs::open(std::env::temp_dir(), flags, Mode::RUSR | Mode::WUSR)?.into())
    }

    #[test]
    fn troubles_of_sockets_are_not_the_files() {
        let of = |errno: rustix::io::Errno| is_of_the_file(&errno.into());
        assert!(of(rustix::io::Errno::IO));
        assert!(!of(rustix::io::Errno::PIPE) && !of(rustix::io::Errno::CONNRESET));
        assert!(!is_of_the_file(&io::ErrorKind::BrokenPipe.into()));
    }
}
