//! A connection and bytes that belong to it, packed into one descriptor that can go beside a message. A worker packs a
//! request that it has read and cannot run; whoever gets the parcel unpacks it.
//!
//! The parcel is a socket in whose queue all of it waits, so nobody waits for its sender, and what is never unpacked is
//! closed by the system.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::net::sockopt::set_socket_send_buffer_size;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, SendAncillaryBuffer, SendAncillaryMessage, SocketType,
};

use crate::inbox::{receive_flags, send_flags, socket_pair};

/// Bytes that are asked for as room; the system may give less.
const ROOM: usize = 1024 * 1024;

/// Packs a connection with some bytes.
///
/// # Errors
/// `WouldBlock` when there are more bytes than the system lets wait; `InvalidInput` when there is none.
pub fn pack(connection: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<OwnedFd> {
    if bytes.is_empty() {
        return Err(ErrorKind::InvalidInput.into());
    }
    let (parcel, sender) = socket_pair(SocketType::STREAM)?;
    // With less room less fits, which is seen below.
    let _as_it_is = set_socket_send_buffer_size(&sender, ROOM);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let connections = [connection];
    ancillary.push(SendAncillaryMessage::ScmRights(&connections));
    let mut sent = rustix::net::sendmsg(&sender, &[IoSlice::new(bytes)], &mut ancillary, send_flags())?;
    while sent < bytes.len() {
        sent += rustix::net::send(&sender, &bytes[sent..], send_flags())?;
    }
    Ok(parcel)
}

/// Takes a parcel apart: the connection (close-on-exec) and the bytes.
///
/// # Errors
/// `InvalidData` when it is no parcel, or its connection was lost because this process has no room for one more
/// descriptor.
pub fn unpack(parcel: OwnedFd) -> io::Result<(OwnedFd, Vec<u8>)> {
    let mut connection = None;
    let mut bytes = Vec::new();
    let mut part = vec![0; 64 * 1024];
    loop {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(&mut part)];
        let received = rustix::net::recvmsg(&parcel, &mut parts, &mut ancillary, receive_flags())?;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                connection = connection.or(descriptors.into_iter().next());
            }
        }
        if received.bytes == 0 {
            break;
        }
        bytes.extend_from_slice(&part[..received.bytes]);
    }
    let connection = connection
        .ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "a parcel without its connection"))?;
    #[cfg(not(target_os = "linux"))]
    {
        use std::os::fd::AsFd;
        crate::process::set_close_on_exec(connection.as_fd())?;
    }
    Ok((connection, bytes))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        for length in [1, 1000, 100_000] {
            let (mut reader, writer) = io::pipe().unwrap();
            let bytes: Vec<u8> = (0..length).map(|number| number as u8).collect();
            let parcel = pack(writer.as_fd(), &bytes).unwrap();
            drop(writer);
            let (connection, unpacked) = unpack(parcel).unwrap();
            assert!(unpacked == bytes);
            assert!(rustix::io::fcntl_getfd(&connection).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
            File::from(connection).write_all(b"through").unwrap();
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            assert_eq!(text, "through");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_and_what_is_not_unpacked_is_closed() {
        let (mut reader, writer) = io::pipe().unwrap();
        assert_eq!(pack(writer.as_fd(), &[]).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(pack(writer.as_fd(), &vec![0; 64 << 20]).unwrap_err().kind(), ErrorKind::WouldBlock);
        drop(pack(writer.as_fd(), b"x").unwrap());
        drop(writer);
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn what_is_no_parcel_is_said() {
        let (reader, writer) = socket_pair(SocketType::STREAM).unwrap();
        rustix::net::send(&writer, b"bytes", send_flags()).unwrap();
        drop(writer);
        assert_eq!(unpack(reader).unwrap_err().kind(), ErrorKind::InvalidData);
    }
}
