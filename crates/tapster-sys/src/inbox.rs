//! Mailboxes between the processes of a server: typed messages, with a descriptor beside if need be. Each worker
//! reads one; the supervisor and the worker's peers write to it.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

use crate::message::SIZE;
pub use crate::message::{Message, Retire, Sampling};

/// Linux keeps message boundaries and tells of a closed peer with one socket type; elsewhere only the first.
#[cfg(target_os = "linux")]
const KIND: SocketType = SocketType::SEQPACKET;
#[cfg(not(target_os = "linux"))]
const KIND: SocketType = SocketType::DGRAM;

/// One end of a pair: what one end sends the other receives, whole and in order. Non-blocking and close-on-exec.
///
/// The kernel keeps a bounded number of unread messages for each direction (a few hundred on Linux: a socket's send
/// buffer); `send` says `WouldBlock` beyond. All handles of one end share that room.
#[derive(Debug)]
pub struct Inbox {
    socket: OwnedFd,
}

impl Inbox {
    /// Two ends connected to each other.
    pub fn pair() -> io::Result<(Inbox, Inbox)> {
        let (one, other) = socket_pair(KIND)?;
        Ok((Inbox { socket: one }, Inbox { socket: other }))
    }

    /// Another handle for the same end.
    pub fn try_clone(&self) -> io::Result<Inbox> {
        Ok(Inbox { socket: self.socket.try_clone()? })
    }

    /// Sends a message, with a descriptor beside it if one is given; the receiver gets a duplicate of that.
    ///
    /// # Errors
    /// `WouldBlock` when the other end has too many unread messages, `BrokenPipe` or `ConnectionReset` when it
    /// is closed.
    pub fn send(&self, message: Message, descriptor: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let bytes = message.encode();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let descriptors = descriptor.map(|descriptor| [descriptor]);
        if let Some(descriptors) = &descriptors {
            ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
        }
        let sent = retry(|| {
            rustix::net::sendmsg(&self.socket, &[IoSlice::new(&bytes)], &mut ancillary, send_flags())
        });
        match sent {
            Ok(_) => Ok(()),
            // A full queue of datagrams is ENOBUFS where SEQPACKET is not to be had.
            Err(Errno::NOBUFS) => Err(ErrorKind::WouldBlock.into()),
            Err(error) => Err(error.into()),
        }
    }

    /// The next message, and the descriptor that came beside it (close-on-exec). None when the other end is closed
    /// and everything was read.
    ///
    /// # Errors
    /// `WouldBlock` when there is none now. `InvalidData` when a message was read that cannot be used: unknown
    /// bytes, or its descriptor was lost because this process has no room for one more; the next call goes on
    /// with the message behind it.
    pub fn receive(&self) -> io::Result<Option<(Message, Option<OwnedFd>)>> {
        let mut bytes = [0; SIZE];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = retry(|| {
            let mut parts = [IoSliceMut::new(&mut bytes)];
            rustix::net::recvmsg(&self.socket, &mut parts, &mut ancillary, receive_flags())
        });
        let received = match received {
            Ok(received) => received,
            // The other end was closed with messages unread: said once on Linux, before what is still queued here.
            Err(Errno::CONNRESET) if cfg!(target_os = "linux") => return self.receive(),
            Err(Errno::CONNRESET) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let descriptor = take_descriptor(&mut ancillary);
        if received.bytes == 0 {
            return Ok(None);
        }
        if received.flags.contains(ReturnFlags::CTRUNC) {
            return Err(lost("the descriptor beside a message was lost: too many open files"));
        }
        match (received.bytes, Message::decode(bytes)) {
            (SIZE, Some(message)) => Ok(Some((message, descriptor))),
            _ => Err(lost("a message that this version does not know")),
        }
    }
}

/// An end that came from another process.
impl From<OwnedFd> for Inbox {
    fn from(socket: OwnedFd) -> Inbox {
        Inbox { socket }
    }
}

impl AsFd for Inbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Two ends that never block and that no program inherits.
#[cfg(target_os = "linux")]
pub(crate) fn socket_pair(kind: SocketType) -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(rustix::net::socketpair(AddressFamily::UNIX, kind, flags, None)?)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn socket_pair(kind: SocketType) -> io::Result<(OwnedFd, OwnedFd)> {
    let pair = rustix::net::socketpair(AddressFamily::UNIX, kind, SocketFlags::empty(), None)?;
    for end in [&pair.0, &pair.1] {
        crate::process::set_close_on_exec(end.as_fd())?;
        rustix::io::ioctl_fionbio(end, true)?;
        rustix::net::sockopt::set_socket_nosigpipe(end, true)?;
    }
    Ok(pair)
}

pub(crate) fn send_flags() -> SendFlags {
    #[cfg(target_os = "linux")]
    return SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    #[cfg(not(target_os = "linux"))]
    SendFlags::DONTWAIT
}

pub(crate) fn receive_flags() -> RecvFlags {
    #[cfg(target_os = "linux")]
    return RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    #[cfg(not(target_os = "linux"))]
    RecvFlags::DONTWAIT
}

/// The first descriptor; any further ones close as they are dropped.
fn take_descriptor(ancillary: &mut RecvAncillaryBuffer<'_>) -> Option<OwnedFd> {
    let mut first = None;
    for part in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = part {
            for descriptor in descriptors {
                first.get_or_insert(descriptor);
            }
        }
    }
    #[cfg(not(target_os = "linux"))]
    if let Some(descriptor) = &first {
        // Failure would mean a closed descriptor, which this one is not.
        let _ = crate::process::set_close_on_exec(descriptor.as_fd());
    }
    first
}

fn lost(reason: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, reason)
}

fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Seek, SeekFrom, Write};

    use super::*;

    fn pair() -> (Inbox, Inbox) {
        Inbox::pair().unwrap()
    }

    fn is_empty(inbox: &Inbox) -> bool {
        inbox.receive().is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    #[test]
    fn messages_arrive_whole_and_in_order_in_both_directions() {
        let (one, other) = pair();
        assert!(is_empty(&one) && is_empty(&other));
        one.send(Message::Drain { timeout_ms: 25_000 }, None).unwrap();
        one.send(Message::Stop, None).unwrap();
        other.send(Message::Ready, None).unwrap();
        assert_eq!(other.receive().unwrap().unwrap().0, Message::Drain { timeout_ms: 25_000 });
        assert_eq!(other.receive().unwrap().unwrap().0, Message::Stop);
        assert_eq!(one.receive().unwrap().unwrap().0, Message::Ready);
        assert!(is_empty(&one) && is_empty(&other));
    }

    #[test]
    fn a_descriptor_travels_beside_a_message_and_closes_on_exec() {
        let (one, other) = pair();
        let (mut reader, writer) = io::pipe().unwrap();
        one.send(Message::Adopt { listener: 3 }, Some(writer.as_fd())).unwrap();
        drop(writer);
        let (message, descriptor) = other.receive().unwrap().unwrap();
        assert_eq!(message, Message::Adopt { listener: 3 });
        let descriptor = descriptor.unwrap();
        let flags = rustix::io::fcntl_getfd(&descriptor).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        let mut file = File::from(descriptor);
        file.write_all(b"hello").unwrap();
        drop(file);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_closed_end_is_seen_after_what_it_sent() {
        let (one, other) = pair();
        other.send(Message::Poke, None).unwrap(); // never read by `one`: the kernel reports a reset
        one.send(Message::Ready, None).unwrap();
        drop(one);
        assert_eq!(other.receive().unwrap().unwrap().0, Message::Ready);
        assert!(other.receive().unwrap().is_none());
        assert!(other.send(Message::Poke, None).is_err());
    }

    #[test]
    fn a_full_inbox_would_block_and_recovers() {
        let (one, other) = pair();
        let sent = (0..1_000_000).take_while(|_| one.send(Message::Poke, None).is_ok()).count();
        assert!((1..1_000_000).contains(&sent));
        assert_eq!(one.send(Message::Poke, None).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(other.receive().unwrap().is_some());
        let mut left = sent - 1;
        while !is_empty(&other) {
            left -= 1;
        }
        assert_eq!(left, 0);
        one.send(Message::Stop, None).unwrap();
        assert_eq!(other.receive().unwrap().unwrap().0, Message::Stop);
    }

    #[test]
    fn surplus_descriptors_are_closed_and_unknown_bytes_refused() {
        let (one, other) = pair();
        let (mut reader, writer) = io::pipe().unwrap();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let four = [writer.as_fd(); 4];
        ancillary.push(SendAncillaryMessage::ScmRights(&four));
        rustix::net::sendmsg(&one.socket, &[IoSlice::new(&[9; SIZE])], &mut ancillary, send_flags()).unwrap();
        drop(writer);
        assert_eq!(other.receive().unwrap_err().kind(), ErrorKind::InvalidData);
        // Were one of the four still open here, this would never end.
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
        one.send(Message::Ready, None).unwrap();
        assert_eq!(other.receive().unwrap().unwrap().0, Message::Ready);
    }

    #[test]
    fn a_file_keeps_its_position() {
        let (one, other) = pair();
        let mut file = File::open("/proc/self/status").or_else(|_| File::open("/etc/hosts")).unwrap();
        file.seek(SeekFrom::Start(4)).unwrap();
        one.send(Message::Adopt { listener: 0 }, Some(file.as_fd())).unwrap();
        let mut copy = File::from(other.receive().unwrap().unwrap().1.unwrap());
        assert_eq!(copy.stream_position().unwrap(), 4);
    }
}
