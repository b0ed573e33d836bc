//! What operators ask of a server on its control socket, request by request: answered at once, or put among those who wait.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use tapster_sys::inbox::{Inbox, Message, Sampling};
use tapster_sys::letter;

use crate::Command;

use super::clients::{After, ClientId};
use super::protocol::{self, LONGEST_REQUEST, Purging, Recycling, Request, failure, success};
use super::stacks::Collection;
use super::{Asker, Control, Scene, Time, Wish, live, status};

impl Control {
    pub(super) fn answer_requests(&mut self, scene: &Scene<'_>) -> Vec<Command> {
        self.has_work = false;
        let mut commands = Vec::new();
        for id in self.clients.ids() {
            while let Some(line) = self.clients.take_request(id, length_of_line) {
                commands.extend(self.read(id, &line, scene));
            }
        }
        commands
    }

    fn read(&mut self, id: ClientId, line: &[u8], scene: &Scene<'_>) -> Option<Command> {
        if line.last() != Some(&b'\n') {
            let error = failure(format!("a request has at most {LONGEST_REQUEST} bytes"));
            self.clients.answer(id, &error, After::Close, scene.now);
            return None;
        }
        match protocol::request(line) {
            Ok(request) => self.obey(Asker::Operator(id), request, scene),
            Err(error) => self.refuse(Asker::Operator(id), error, scene.now),
        }
    }

    /// Answers a request, now or when what it orders is done. Gives the order.
    pub(super) fn obey(&mut self, id: Asker, request: Request, scene: &Scene<'_>) -> Option<Command> {
        if let Some(heir) = self.heir.filter(|_| request.is_an_order()) {
            return self.answer(id, &protocol::moved(heir), scene.now);
        }
        match request {
            Request::Version => self.answer(id, &success(&self.identity), scene.now),
            Request::Health => {
                let health = status::health(scene, &self.history, self.heir.is_some());
                self.answer(id, &success(health), scene.now)
            }
            Request::Status => {
                let status = status::status(scene, &self.history, &self.identity);
                self.answer(id, &success(status), scene.now)
            }
            Request::Live => {
                let reading = live::look::reading(scene, &self.history, &self.identity);
                self.answer(id, &success(reading), scene.now)
            }
            Request::Stop => {
                self.note_order("stop", id);
                match id {
                    Asker::Operator(id) => {
                        self.clients.answer(id, &success(&self.identity), After::Hold, scene.now);
                    }
                    Asker::Page(_) => self.reply(id, &success(&self.identity), scene.now),
                }
                Some(Command::Stop)
            }
            Request::Stacks => {
                self.stacks.get_or_insert_with(|| Collection::begin(scene));
                self.waiting.push((id, Wish::Stacks));
                None
            }
            Request::Profile { seconds, rate, cpu, all_threads } => {
                self.begin_profile(id, Sampling { seconds, rate, cpu, all_threads }, scene)
            }
            _ if self.history.stopping => self.refuse(id, "the server is stopping", scene.now),
            Request::Reload => {
                self.note_order("reload", id);
                self.waiting.push((id, Wish::ReloadOrdered));
                self.has_work = true;
                Some(Command::Reload)
            }
            Request::Scale { workers } => {
                self.note_order("scale", id);
                self.waiting.push((id, Wish::Scaled));
                Some(Command::Scale(workers))
            }
            Request::Recycle { worker } => self.recycle(id, worker, scene),
            Request::Purge { what } => self.purge(id, &what, scene),
        }
    }

    /// Tells every front: the one before the workers, or those that are workers themselves.
    fn purge(&mut self, id: Asker, what: &str, scene: &Scene<'_>) -> Option<Command> {
        if !self.has_cache {
            return self.refuse(id, "the server keeps no answers (--cache)", scene.now);
        }
        self.note_order("purge", id);
        let tell = |send: &dyn Fn(BorrowedFd<'_>) -> io::Result<()>| {
            letter::write(what.as_bytes()).and_then(|letter| send(letter.as_fd())).is_ok()
        };
        let fronts = if self.is_front {
            let send =
                |slot: usize, letter: BorrowedFd<'_>| scene.channels.send(slot, Message::Purge, Some(letter));
            scene.fleet.ready_slots().filter(|slot| tell(&|letter| send(*slot, letter))).count()
        } else {
            let told = |inbox: &&Inbox| tell(&|letter| inbox.send(Message::Purge, Some(letter)));
            scene.front.iter().filter(|inbox| told(inbox)).count()
        };
        self.answer(id, &success(Purging { fronts }), scene.now)
    }

    fn recycle(&mut self, id: Asker, worker: u32, scene: &Scene<'_>) -> Option<Command> {
        let Some((slot, pid)) = status::serving(scene, worker) else {
            return self.refuse(
                id,
                format!("no worker that serves has the number or pid {worker}"),
                scene.now,
            );
        };
        self.note_order("recycle", id);
        self.answer(id, &success(Recycling { worker: slot + 1, pid }), scene.now);
        Some(Command::Recycle { slot })
    }

    /// Sends an answer, after which the next request may come.
    pub(super) fn reply(&mut self, id: Asker, line: &[u8], now: Time) {
        match id {
            Asker::Operator(id) => self.clients.answer(id, line, After::Next, now),
            Asker::Page(id) => self.admin.reply(id, line, now),
        }
    }

    pub(super) fn answer(&mut self, id: Asker, line: &[u8], now: Time) -> Option<Command> {
        self.reply(id, line, now);
        None
    }

    pub(super) fn refuse(&mut self, id: Asker, error: impl Into<String>, now: Time) -> Option<Command> {
        self.answer(id, &failure(error), now)
    }

    /// Whether whoever asked has gone.
    pub(super) fn has_left(&self, id: Asker) -> bool {
        match id {
            Asker::Operator(id) => self.clients.has_left(id),
            Asker::Page(id) => self.admin.has_left(id),
        }
    }

    pub(super) fn note_order(&self, word: &str, id: Asker) {
        let way = match id {
            Asker::Operator(_) => "through the control socket",
            Asker::Page(_) => "in the dashboard",
        };
        self.log.info(format_args!("{word} ordered {way}"));
    }
}

/// A line with its end; what is too long counts as one.
fn length_of_line(bytes: &[u8]) -> Option<usize> {
    let end = bytes.iter().position(|byte| *byte == b'\n').map(|end| end + 1);
    end.filter(|end| *end <= LONGEST_REQUEST)
        .or_else(|| (bytes.len() > LONGEST_REQUEST).then_some(bytes.len()))
}
