//! The old server's view: the new one, from its start until it has taken over or has failed.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use tapster_sys::exec::{self, Program, Spawned};
use tapster_sys::process::{self, Pid};
use tapster_sys::signal::Signal;
use tapster_sys::socket::{Listener, describe_for_successor};

use super::{LISTENERS, Line, PREDECESSOR, Word};
use crate::init::INIT;

/// How long a server that is ready may take for the last step.
const TAKING: Duration = Duration::from_secs(10);

/// A new server that has not taken over yet.
#[derive(Debug)]
pub struct Successor {
    process: Spawned,
    line: Line,
    /// Whether there is somebody at the other end of the line.
    is_there: bool,
    began: Instant,
    /// How long each step of its start may take.
    patience: Duration,
    state: State,
    deadline: Option<Instant>,
}

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// It has not said anything yet: it does not catch signals.
    Started,
    /// Its workers start.
    Booting,
    /// It was told to take over.
    Taking,
    /// It was told to end.
    Ending,
    /// It was killed.
    Killed,
}

/// What is due for a successor whose time is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Overdue {
    /// It did not become ready; it was told to end.
    Boot(Duration),
    /// It did not take over; it was killed.
    Taking(Duration),
    /// It did not end; it was killed.
    End,
}

impl Successor {
    /// Executes the program, which finds these listeners in its environment. That it cannot be executed is known at the end
    /// of its process.
    ///
    /// # Errors
    /// When the system has no process for it, in words for the operator.
    pub fn start(
        program: &Program,
        listeners: &[&Listener],
        init: Option<&OwnedFd>,
        patience: Duration,
    ) -> io::Result<Successor> {
        let (line, other) = Line::pair()?;
        let mut program = program.clone();
        let predecessor = format!("{},{}", Pid::current(), exec::number(&other));
        program.environment.push((PREDECESSOR.into(), predecessor.into()));
        program
            .environment
            .push((LISTENERS.into(), describe_for_successor(listeners.iter().copied()).into()));
        if let Some(init) = init {
            program.environment.push((INIT.into(), exec::number(init).to_string().into()));
        }
        let lines = [Some(&other), init].into_iter().flatten().map(AsFd::as_fd);
        let descriptors: Vec<_> = listeners.iter().map(|listener| listener.as_fd()).chain(lines).collect();
        let process = exec::spawn(&program, &descriptors)?;
        let began = Instant::now();
        let (state, deadline) = (State::Started, Some(began + patience));
        Ok(Successor { process, line, is_there: true, began, patience, state, deadline })
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        self.process.pid()
    }

    /// Why it was not executed; known when its process has ended.
    pub fn complaint(&mut self) -> Option<String> {
        self.process.complaint()
    }

    /// What it does.
    pub fn state(&self) -> State {
        self.state
    }

    /// How long ago it was started.
    pub fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// Readable when it has said something; none once it will not any more.
    pub fn source(&self) -> Option<BorrowedFd<'_>> {
        self.is_there.then(|| self.line.as_fd())
    }

    /// When [`expire`](Successor::expire) is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// What it has said that calls for something.
    pub fn hear(&mut self) -> Vec<Word> {
        if !self.is_there {
            return Vec::new();
        }
        let (words, is_there) = self.line.hear();
        self.is_there = is_there;
        for word in &words {
            match word {
                Word::Booting(limit) if self.state == State::Started => {
                    (self.state, self.patience) = (State::Booting, *limit);
                    self.deadline = Some(Instant::now() + self.patience);
                }
                Word::Progress if self.state == State::Booting => {
                    self.deadline = Some(Instant::now() + self.patience);
                }
                _ => {}
            }
        }
        words
    }

    /// Passes on what the operator wants of the server.
    pub fn say(&mut self, word: Word) {
        // If it is gone, its end is told soon.
        let _gone = self.line.say(word);
    }

    /// Tells it to take over. False when it is gone.
    pub fn go(&mut self) -> bool {
        self.state = State::Taking;
        self.deadline = Some(Instant::now() + TAKING);
        self.line.say(Word::Go).is_ok()
    }

    /// Tells it to end with this word, within `grace`; a second time, at once.
    pub fn end(&mut self, word: Word, grace: Duration) {
        match self.state {
            State::Started => self.signal(Signal::Terminate),
            _ => self.say(word),
        }
        if !matches!(self.state, State::Ending | State::Killed) {
            self.state = State::Ending;
            self.deadline = Some(Instant::now() + grace);
        }
    }

    /// Does what is due.
    pub fn expire(&mut self, grace: Duration) -> Option<Overdue> {
        if self.deadline.is_none_or(|deadline| deadline > Instant::now()) {
            return None;
        }
        let overdue = match self.state {
            State::Ending => Overdue::End,
            State::Taking => Overdue::Taking(TAKING),
            _ => {
                self.end(Word::Stop, grace);
                return Some(Overdue::Boot(self.patience));
            }
        };
        // One that hangs while it takes over must not remove at its end what is to be the old server's again.
        self.signal(Signal::Kill);
        (self.state, self.deadline) = (State::Killed, None);
        Some(overdue)
    }

    fn signal(&self, signal: Signal) {
        // A child that was not reaped can be sent a signal.
        let _never = process::send_signal(self.pid(), signal);
    }
}
