//! How one server takes the place of another: what the two say to each other, over a socketpair that the old one makes
//! and the new one inherits. Run by the drivers of both.
//!
//! ```text
//! new: booting 60000    I catch signals and start workers; this long each step may take
//! new: progress         a worker is ready
//! new: ready            all workers are
//! old: go               be the server
//! new: took             I am: the pidfile, the socket files and the service manager know me
//! old: poke             a worker of mine has ended: look at the listeners again
//! ```
//!
//! Besides, the old one may say `stop`, `reload`, `reopen` and `upgrade` for what the operator wants of the server meanwhile, and
//! the new one `stop`, when it was told to while it was about to take over. The two may be of different versions: what one does not know it passes over.

pub mod predecessor;
pub mod successor;

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use tapster_sys::exec::Program;

use crate::pidfile::PidFile;
use predecessor::Predecessor;

/// The variable with the listeners, for [`Handed::take`](tapster_sys::socket::Handed::take).
pub const LISTENERS: &str = "TAPSTER_LISTENERS";
/// The variable with the old server: its process and the descriptor of the line, `PID,NUMBER`.
pub const PREDECESSOR: &str = "TAPSTER_PREDECESSOR";

/// What a server has to know of those before and after it.
#[derive(Debug, Default)]
pub struct Succession {
    /// What an upgrade executes: this server's own command. None when it cannot be found out; then there is no upgrade.
    pub program: Option<Program>,
    /// The server whose place this one takes.
    pub predecessor: Option<Predecessor>,
    /// Where PID 1 is told who the server is, if that is a process of ours.
    pub init: Option<OwnedFd>,
    /// The pidfile, which names this server from when it takes over.
    pub pidfile: Option<PidFile>,
}

/// Bytes of one message that are waited for; nothing said here is that long.
const LONGEST: usize = 256;

/// One thing said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word {
    /// New: I start workers; this long each step may take.
    Booting(Duration),
    /// New: one step further.
    Progress,
    /// New: all my workers serve.
    Ready,
    /// New: I am the server.
    Took,
    /// Old: be the server.
    Go,
    /// Old: the operator wants both to stop. New: the operator wants the server to stop, whichever of us that is.
    Stop,
    /// Old: the same, by Ctrl-C. Older servers understand Stop.
    Interrupt,
    /// Old: the operator wants new workers.
    Reload,
    /// Old: the operator has moved the log file away.
    Reopen,
    /// Old: the operator wants another upgrade.
    Upgrade,
    /// Old: look at the listeners again.
    Poke,
}

impl Word {
    fn text(self) -> String {
        let word = match self {
            Word::Booting(limit) => return format!("booting {}\n", limit.as_millis()),
            Word::Progress => "progress",
            Word::Ready => "ready",
            Word::Took => "took",
            Word::Go => "go",
            Word::Stop => "stop",
            Word::Interrupt => "stop interrupt",
            Word::Reload => "reload",
            Word::Reopen => "reopen",
            Word::Upgrade => "upgrade",
            Word::Poke => "poke",
        };
        format!("{word}\n")
    }

    fn parse(line: &str) -> Option<Word> {
        Some(match line.split_once(' ').unwrap_or((line, "")) {
            ("booting", limit) => Word::Booting(Duration::from_millis(limit.parse().ok()?)),
            ("progress", _) => Word::Progress,
            ("ready", _) => Word::Ready,
            ("took", _) => Word::Took,
            ("go", _) => Word::Go,
            ("stop", "interrupt") => Word::Interrupt,
            ("stop", _) => Word::Stop,
            ("reload", _) => Word::Reload,
            ("reopen", _) => Word::Reopen,
            ("upgrade", _) => Word::Upgrade,
            ("poke", _) => Word::Poke,
            _ => return None,
        })
    }
}

/// One end of the socketpair. Never waits.
#[derive(Debug)]
pub struct Line {
    stream: UnixStream,
    unread: Vec<u8>,
}

impl Line {
    /// Both ends, close-on-exec.
    pub fn pair() -> io::Result<(Line, OwnedFd)> {
        let (own, other) = UnixStream::pair()?;
        Ok((Line::new(own)?, other.into()))
    }

    /// An end that was inherited.
    pub fn new(stream: UnixStream) -> io::Result<Line> {
        stream.set_nonblocking(true)?;
        Ok(Line { stream, unread: Vec::new() })
    }

    /// Says something. A few words fit into the socket whatever the other does.
    ///
    /// # Errors
    /// When the other is gone, or has not read for very long.
    pub fn say(&mut self, word: Word) -> io::Result<()> {
        self.stream.write_all(word.text().as_bytes())
    }

    /// Everything that was said, and whether the other is still there.
    pub fn hear(&mut self) -> (Vec<Word>, bool) {
        let mut bytes = [0; LONGEST];
        let is_there = loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => break false,
                Ok(count) => self.unread.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break error.kind() == ErrorKind::WouldBlock,
            }
        };
        let end = self.unread.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
        let lines: Vec<u8> = self.unread.drain(..end).collect();
        self.unread.truncate(LONGEST);
        (String::from_utf8_lossy(&lines).lines().filter_map(Word::parse).collect(), is_there)
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_arrive_and_unknown_ones_are_passed_over() {
        let (mut old, new) = Line::pair().unwrap();
        let mut new = Line::new(new.into()).unwrap();
        let all = [
            Word::Booting(Duration::from_secs(60)),
            Word::Progress,
            Word::Ready,
            Word::Took,
            Word::Go,
            Word::Stop,
            Word::Interrupt,
            Word::Reload,
            Word::Reopen,
            Word::Upgrade,
            Word::Poke,
        ];
        for word in all {
            new.say(word).unwrap();
        }
        assert_eq!(old.hear(), (all.to_vec(), true));
        new.stream.write_all(b"sing loudly\nready with more\nboot").unwrap();
        assert_eq!(old.hear(), (vec![Word::Ready], true));
        new.stream.write_all(b"ing 5\nbooting soon\n").unwrap();
        drop(new);
        assert_eq!(old.hear(), (vec![Word::Booting(Duration::from_millis(5))], false));
        assert!(old.say(Word::Go).is_err());
    }

    #[test]
    fn an_endless_word_takes_no_memory() {
        let (mut old, new) = Line::pair().unwrap();
        let mut new = Line::new(new.into()).unwrap();
        for _ in 0..100 {
            new.stream.write_all(&[b'x'; 1000]).unwrap();
            old.hear();
        }
        assert!(old.unread.len() <= LONGEST);
    }
}
