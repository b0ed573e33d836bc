//! The new server's view: the old one, from the start until it is gone.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use tapster_sys::exec;
use tapster_sys::process::Pid;
use tapster_sys::socket::Listener;

use super::{Line, Word};

/// The server whose place this one takes.
#[derive(Debug)]
pub struct Predecessor {
    pid: Pid,
    line: Line,
    state: State,
    /// What it listens on and this server will not.
    rest: Vec<Listener>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// This server is not ready.
    Awaited,
    /// This server is ready, and waits for the word to take over.
    Asked,
    /// This server has taken over; the old one finishes its requests.
    Leaving,
    /// It was gone before this server was ready.
    Gone,
}

/// What the end of the old server means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Departure {
    /// As agreed.
    Agreed,
    /// This server is ready, and is to take over by itself.
    TakeOverNow,
    /// This server is to take over by itself when it is ready.
    TakeOverLater,
}

impl Predecessor {
    /// Reads the variable [`PREDECESSOR`](super::PREDECESSOR), which names the process and an inherited descriptor.
    ///
    /// # Errors
    /// When it says something else.
    pub fn from_text(text: &str) -> io::Result<Predecessor> {
        let numbers = text.split_once(',').and_then(|(pid, number)| {
            Some((
                pid.parse().ok().filter(|pid| *pid > 0)?,
                number.parse().ok().filter(|number| *number > 2)?,
            ))
        });
        let (pid, number) = numbers.ok_or(io::ErrorKind::InvalidInput)?;
        let stream = UnixStream::from(exec::inherited(number)?);
        Ok(Predecessor {
            pid: Pid::from_raw(pid),
            line: Line::new(stream)?,
            state: State::Awaited,
            rest: Vec::new(),
        })
    }

    /// Notes the listeners that the old server has and this one will not have.
    pub fn leave_to_it(&mut self, rest: Vec<Listener>) {
        self.rest = rest;
    }

    /// Takes the first that fits out of them.
    pub fn take_from_it(&mut self, fits: impl Fn(&Listener) -> bool) -> Option<Listener> {
        let place = self.rest.iter().position(fits)?;
        Some(self.rest.remove(place))
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Whether it still is the server.
    pub fn is_in_charge(&self) -> bool {
        self.state != State::Leaving
    }

    /// Readable when it has said something; none once it is gone.
    pub fn source(&self) -> Option<BorrowedFd<'_>> {
        (self.state != State::Gone).then(|| self.line.as_fd())
    }

    /// Tells it how this server gets on.
    pub fn say(&mut self, word: Word) {
        // Its end is noticed when it is heard.
        let _gone = self.line.say(word);
    }

    /// Tells it that this server is ready. True when there is nobody to wait for.
    pub fn ready(&mut self) -> bool {
        match self.state {
            State::Gone => return true,
            State::Awaited => {
                self.state = State::Asked;
                self.say(Word::Ready);
            }
            State::Asked | State::Leaving => {}
        }
        false
    }

    /// What it has said, and what its end means if that has come.
    pub fn hear(&mut self) -> (Vec<Word>, Option<Departure>) {
        if self.state == State::Gone {
            return (Vec::new(), None);
        }
        let (words, is_there) = self.line.hear();
        let departure = match self.state {
            _ if is_there => None,
            State::Leaving => Some(Departure::Agreed),
            // It may have ended after its last word.
            State::Asked if words.contains(&Word::Go) => Some(Departure::Agreed),
            State::Asked => Some(Departure::TakeOverNow),
            State::Awaited | State::Gone => Some(Departure::TakeOverLater),
        };
        if departure == Some(Departure::TakeOverLater) {
            self.state = State::Gone;
        }
        (words, departure)
    }

    /// Becomes the server: the files of sockets that nobody will serve go.
    pub fn took_over(&mut self) {
        for mut listener in self.rest.drain(..) {
            listener.own_file();
            listener.remove_file();
        }
        if self.state != State::Gone {
            self.state = State::Leaving;
            self.say(Word::Took);
        }
    }
}
