//! What mio leaves out: exclusive registration of shared listeners, and a plain poll for the supervisor.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};

/// Registers a listener that other processes poll too, so that a new connection wakes one of them and not all
/// (level-triggered `EPOLLIN | EPOLLEXCLUSIVE`). `token` comes back with each event.
///
/// # Errors
/// `Unsupported` elsewhere than on Linux: register it as any other descriptor there.
#[cfg(target_os = "linux")]
pub fn add_exclusive(poll: BorrowedFd<'_>, listener: BorrowedFd<'_>, token: u64) -> io::Result<()> {
    use rustix::event::epoll::{EventData, EventFlags};
    let flags = EventFlags::IN | EventFlags::EXCLUSIVE;
    Ok(rustix::event::epoll::add(poll, listener, EventData::new_u64(token), flags)?)
}

/// Ends the registration made by [`add_exclusive`].
#[cfg(target_os = "linux")]
pub fn remove(poll: BorrowedFd<'_>, listener: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::event::epoll::delete(poll, listener)?)
}

/// Registers a listener that other processes poll too. Not to be had on this system.
#[cfg(not(target_os = "linux"))]
pub fn add_exclusive(_poll: BorrowedFd<'_>, _listener: BorrowedFd<'_>, _token: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Ends the registration made by [`add_exclusive`]. Not to be had on this system.
#[cfg(not(target_os = "linux"))]
pub fn remove(_poll: BorrowedFd<'_>, _listener: BorrowedFd<'_>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Another handle for a poller that gives only its number.
///
/// # Errors
/// When the process has no descriptor left.
pub fn duplicate(poller: &impl AsRawFd) -> io::Result<OwnedFd> {
    // SAFETY: the number belongs to `poller`, which is borrowed, and so stays open, for the length of this call.
    let borrowed = unsafe { BorrowedFd::borrow_raw(poller.as_raw_fd()) };
    borrowed.try_clone_to_owned()
}

/// What to wait for on a descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interest {
    /// Bytes, messages, connections, or the end of them.
    Readable,
    /// Room to write.
    Writable,
}

/// Whether nobody will read what is written to this pipe.
pub fn is_abandoned(writer: BorrowedFd<'_>) -> bool {
    let mut entry = [PollFd::from_borrowed_fd(writer, PollFlags::empty())];
    let now = timespec(Duration::ZERO);
    rustix::event::poll(&mut entry, Some(&now)).is_ok_and(|count| count > 0)
}

/// Waits until a descriptor is as wished, or `timeout` is over (none: for ever), or a signal comes. Says for each
/// descriptor whether it is to be looked at: as wished, closed by the other end, or broken.
pub fn wait(descriptors: &[(BorrowedFd<'_>, Interest)], timeout: Option<Duration>) -> io::Result<Vec<bool>> {
    let mut entries: Vec<_> =
        descriptors.iter().map(|(fd, interest)| PollFd::from_borrowed_fd(*fd, flags(*interest))).collect();
    let timeout = timeout.map(timespec);
    match rustix::event::poll(&mut entries, timeout.as_ref()) {
        Ok(_) => Ok(entries.iter().map(|entry| !entry.revents().is_empty()).collect()),
        Err(rustix::io::Errno::INTR) => Ok(vec![false; entries.len()]),
        Err(error) => Err(error.into()),
    }
}

fn flags(interest: Interest) -> PollFlags {
    match interest {
        Interest::Readable => PollFlags::IN,
        Interest::Writable => PollFlags::OUT,
    }
}

fn timespec(duration: Duration) -> Timespec {
    // A year is for ever; it keeps the seconds within every system's time_t.
    Timespec::try_from(duration.min(Duration::from_secs(31_536_000))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn wait_tells_the_ready_from_the_idle() {
        let (idle, _kept) = io::pipe().unwrap();
        let (ready, mut writer) = io::pipe().unwrap();
        writer.write_all(b"x").unwrap();
        let both = [(idle.as_fd(), Interest::Readable), (ready.as_fd(), Interest::Readable)];
        assert_eq!(wait(&both, None).unwrap(), [false, true]);
        assert_eq!(wait(&[(writer.as_fd(), Interest::Writable)], None).unwrap(), [true]);
    }

    #[test]
    fn wait_ends_with_its_time_and_sees_a_closed_end() {
        let (reader, writer) = io::pipe().unwrap();
        let one = [(reader.as_fd(), Interest::Readable)];
        assert_eq!(wait(&one, Some(Duration::from_millis(1))).unwrap(), [false]);
        drop(writer);
        assert_eq!(wait(&one, Some(Duration::MAX)).unwrap(), [true]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_exclusive_listener_wakes_one_of_two_pollers() {
        use rustix::event::epoll;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let polls = [epoll::create(epoll::CreateFlags::CLOEXEC), epoll::create(epoll::CreateFlags::CLOEXEC)]
            .map(Result::unwrap);
        for poll in &polls {
            add_exclusive(poll.as_fd(), listener.as_fd(), 7).unwrap();
        }
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut events = Vec::with_capacity(4);
        epoll::wait(&polls[0], rustix::buffer::spare_capacity(&mut events), None).unwrap();
        assert_eq!(events[0].data.u64(), 7);
        remove(polls[0].as_fd(), listener.as_fd()).unwrap();
        events.clear();
        epoll::wait(&polls[0], rustix::buffer::spare_capacity(&mut events), Some(&Timespec::default()))
            .unwrap();
        assert!(events.is_empty());
    }
}
