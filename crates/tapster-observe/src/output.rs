//! Where lines go, and how they get there without waiting: a piece is written only when the descriptor takes it now.

use std::io::IsTerminal;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;

use crate::datagram::Datagrams;
use crate::line::MAX_LINE;
use crate::relay::Relay;

/// After this time an output is tried again that cannot be waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// What takes log lines.
#[derive(Clone, Debug)]
pub enum Output {
    /// Standard error.
    Stderr,
    /// Standard output.
    Stdout,
    /// Any other descriptor, such as an opened log file (in append mode) or a pipe.
    Descriptor(Arc<OwnedFd>),
    /// A datagram for each line.
    Datagrams(Arc<Datagrams>),
    /// Somebody in this process.
    Relay(Arc<Relay>),
}

impl Output {
    /// Whether a person reads it.
    pub fn is_terminal(&self) -> bool {
        self.descriptor().is_some_and(|descriptor| descriptor.is_terminal())
    }

    /// What is written to and polled; none where that says nothing.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Output::Stderr => Some(rustix::stdio::stderr()),
            Output::Stdout => Some(rustix::stdio::stdout()),
            Output::Descriptor(descriptor) => Some(descriptor.as_fd()),
            Output::Datagrams(_) | Output::Relay(_) => None,
        }
    }

    /// Whether both are one file that was opened for lines.
    pub(crate) fn is_same_file(&self, other: &Output) -> bool {
        matches!((self, other), (Output::Descriptor(one), Output::Descriptor(two)) if Arc::ptr_eq(one, two))
    }
}

/// What became of an attempt to write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Progress {
    /// This many bytes are written, whole lines unless the descriptor took less.
    Wrote(usize),
    /// It would have had to wait.
    Blocked,
    /// The descriptor is broken, closed or full.
    Failed,
}

/// Writes the beginning of `lines`, as many whole lines as go into one piece, if the output takes them now.
pub(crate) fn write_some(output: &Output, lines: &[u8]) -> Progress {
    let descriptor = match output {
        Output::Datagrams(datagrams) => return datagrams.send_first(lines),
        Output::Relay(relay) => return relay.put(piece(lines)),
        Output::Stderr => rustix::stdio::stderr(),
        Output::Stdout => rustix::stdio::stdout(),
        Output::Descriptor(descriptor) => descriptor.as_fd(),
    };
    let kind = fstat(descriptor).map(|stat| FileType::from_raw_mode(stat.st_mode));
    // The system appends whatever is written to a file in one piece, and a file is always ready.
    let is_file = matches!(kind, Ok(FileType::RegularFile));
    if !is_file && !wait_until_writable(&[output], Duration::ZERO) {
        return Progress::Blocked;
    }
    let is_pipe = matches!(kind, Ok(FileType::Fifo));
    let lines = if is_file {
        lines
    } else if is_pipe {
        whole(lines)
    } else {
        piece(lines)
    };
    loop {
        match write_now(descriptor, lines, is_pipe) {
            Ok(count) => return Progress::Wrote(count),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Progress::Blocked,
            Err(_) => return Progress::Failed,
        }
    }
}

/// Another process may have filled the pipe since it was polled, so a pipe is asked not to block where the system can.
#[cfg(target_os = "linux")]
fn write_now(output: BorrowedFd<'_>, bytes: &[u8], is_pipe: bool) -> Result<usize, Errno> {
    use rustix::io::{IoSlice, ReadWriteFlags, pwritev2, write};

    /// "At the current position", which is the only one a pipe has.
    const CURRENT: u64 = u64::MAX;

    if !is_pipe {
        return write(output, bytes);
    }
    match pwritev2(output, &[IoSlice::new(bytes)], CURRENT, ReadWriteFlags::NOWAIT) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => write(output, bytes),
        result => result,
    }
}

#[cfg(not(target_os = "linux"))]
fn write_now(output: BorrowedFd<'_>, bytes: &[u8], _is_pipe: bool) -> Result<usize, Errno> {
    rustix::io::write(output, bytes)
}

/// Waits until one of them takes bytes or is broken, at most this long, and not long for one that cannot tell. Says whether
/// one of the others is.
pub(crate) fn wait_until_writable(outputs: &[&Output], timeout: Duration) -> bool {
    let mut polled: Vec<PollFd<'_>> = outputs
        .iter()
        .filter_map(|output| output.descriptor())
        .map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::OUT))
        .collect();
    let timeout = if polled.len() < outputs.len() { timeout.min(LOOK_AGAIN) } else { timeout };
    let timeout = Timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: timeout.subsec_nanos().into() };
    // An interruption counts as "not yet": every caller asks again later.
    matches!(poll(&mut polled, Some(&timeout)), Ok(ready) if ready > 0)
}

/// The longest run of whole lines at the start that a pipe takes in one piece.
fn piece(lines: &[u8]) -> &[u8] {
    let most = &lines[..lines.len().min(MAX_LINE)];
    match most.iter().rposition(|byte| *byte == b'\n') {
        Some(end) => &most[..=end],
        None => most,
    }
}

/// The same, or one line that is longer than that: in one write it stays whole as long as the pipe has room for it.
fn whole(lines: &[u8]) -> &[u8] {
    match piece(lines) {
        piece if piece.ends_with(b"\n") => piece,
        _ => first_line(lines),
    }
}

/// The first line, or all of what is none.
fn first_line(lines: &[u8]) -> &[u8] {
    match lines.iter().position(|byte| *byte == b'\n') {
        Some(end) => &lines[..=end],
        None => lines,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_made_of_whole_lines() {
        assert_eq!(piece(b"a\nb\n"), b"a\nb\n");
        let long = [b"x".repeat(3000), b"\n".to_vec(), b"y".repeat(3000), b"\n".to_vec()].concat();
        assert_eq!(piece(&long).len(), 3001);
        assert_eq!(piece(&[]), b"");
        assert_eq!(whole(b"a\nb\n"), b"a\nb\n");
        let longer = [b"x".repeat(9000), b"\n".to_vec(), b"y\n".to_vec()].concat();
        assert_eq!((piece(&longer).len(), whole(&longer).len()), (MAX_LINE, 9001));
    }

    #[test]
    fn a_closed_pipe_is_a_failure_and_a_full_one_is_not() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let output = Output::Descriptor(Arc::new(writer));
        while let Progress::Wrote(_) = write_some(&output, &[b'x'; MAX_LINE]) {}
        assert_eq!(write_some(&output, b"x\n"), Progress::Blocked);
        drop(reader);
        assert_eq!(write_some(&output, b"x\n"), Progress::Failed);
    }
}
