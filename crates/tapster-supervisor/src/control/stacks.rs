//! What every thread of every worker does, now or over some time: asked of all workers at once, each of which writes into a
//! pipe of its own. Who does not write in time is reported as incomplete.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use tapster_sys::inbox::{Message, Sampling};
use tapster_sys::poll::Interest;
use tapster_sys::process;

use crate::member::State;

use super::Scene;
use super::protocol::{Collected, WorkerText};

/// Time since the supervisor started.
type Time = Duration;

/// How long the workers may take: they wait for the interpreter's lock for a part of it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes that are kept of each worker.
const LONGEST: usize = 8 << 20;
/// Bytes read at once.
const PIECE: usize = 16 * 1024;

/// One question to all workers.
#[derive(Debug)]
pub struct Collection {
    workers: Vec<Asked>,
    until: Time,
}

#[derive(Debug)]
struct Asked {
    slot: usize,
    pid: u32,
    /// None once it has written everything, or too much.
    pipe: Option<File>,
    text: Vec<u8>,
    complete: bool,
}

impl Collection {
    /// Asks every worker that listens for its stacks.
    pub fn begin(scene: &Scene<'_>) -> Collection {
        Collection::ask(scene, Message::Stacks, PATIENCE)
    }

    /// Asks every worker that listens for a profile.
    pub fn begin_profile(scene: &Scene<'_>, sampling: Sampling) -> Collection {
        let time = Duration::from_secs(sampling.seconds.into());
        Collection::ask(scene, Message::Profile(sampling), time + PATIENCE)
    }

    fn ask(scene: &Scene<'_>, question: Message, patience: Duration) -> Collection {
        let slots = 0..scene.board.workers();
        let listens = |slot: &usize| {
            let state = scene.fleet.member(*slot).map(|member| &member.state);
            matches!(state, Some(State::Ready { .. } | State::Draining { .. }))
        };
        let workers = slots.filter(listens).filter_map(|slot| Asked::new(slot, question, scene)).collect();
        Collection { workers, until: scene.now + patience }
    }

    /// What is to be waited for, by the place in the collection.
    pub fn sources(&self) -> impl Iterator<Item = (usize, (BorrowedFd<'_>, Interest))> {
        let pipes = self.workers.iter().enumerate();
        pipes.filter_map(|(place, asked)| Some((place, (asked.pipe.as_ref()?.as_fd(), Interest::Readable))))
    }

    /// Reads what a worker has written.
    pub fn attend(&mut self, place: usize) {
        if let Some(asked) = self.workers.get_mut(place) {
            asked.read();
        }
    }

    /// When it ends at the latest: at once when there is nothing to wait for.
    pub fn deadline(&self) -> Time {
        if self.is_complete() { Time::ZERO } else { self.until }
    }

    fn is_complete(&self) -> bool {
        self.workers.iter().all(|asked| asked.pipe.is_none())
    }

    /// The answer, when there is nothing more to wait for.
    pub fn result(&self, now: Time) -> Option<Collected> {
        let is_done = now >= self.until || self.is_complete();
        is_done.then(|| Collected { workers: self.workers.iter().map(Asked::result).collect() })
    }
}

impl Asked {
    /// None for a worker that has just ended.
    fn new(slot: usize, question: Message, scene: &Scene<'_>) -> Option<Asked> {
        let pid = scene.children.pid(slot)?.as_raw().cast_unsigned();
        let asked = process::pipe().and_then(|(reader, writer)| {
            process::set_nonblocking(reader.as_fd())?;
            scene.channels.send(slot, question, Some(writer.as_fd()))?;
            Ok(reader)
        });
        let (pipe, text) = match asked {
            Ok(reader) => (Some(File::from(reader)), Vec::new()),
            Err(error) => (None, format!("it cannot be asked: {error}").into_bytes()),
        };
        Some(Asked { slot, pid, pipe, text, complete: false })
    }

    fn read(&mut self) {
        let Some(pipe) = &mut self.pipe else { return };
        let mut piece = [0; PIECE];
        match pipe.read(&mut piece) {
            Ok(0) => {
                self.complete = !self.text.is_empty();
                self.pipe = None;
            }
            Ok(count) => {
                self.text.extend_from_slice(&piece[..count]);
                if self.text.len() > LONGEST {
                    self.pipe = None;
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => self.pipe = None,
        }
    }

    fn result(&self) -> WorkerText {
        let Asked { slot, pid, text, complete, .. } = self;
        let text = String::from_utf8_lossy(text).into_owned();
        WorkerText { worker: slot + 1, pid: *pid, text, complete: *complete }
    }
}
