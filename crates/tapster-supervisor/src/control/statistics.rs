//! uWSGI's statistics server (`--stats`): who connects gets one JSON document, and the end of the connection. Nothing is read
//! from clients, also where they speak HTTP (`--stats-http`).

pub mod document;

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, SystemTime};

use tapster_sys::poll::Interest;
use tapster_sys::socket::Listener;

use super::Scene;
use super::clients::{After, ClientId, Clients};
use super::door::Door;

/// Time since the supervisor started.
type Time = Duration;

/// Clients at a time.
const MOST_CLIENTS: usize = 16;
/// What they may send before it is thrown away: the head of a request for `--stats-http`.
const LONGEST_REQUEST: usize = 8 * 1024;

/// The listeners and their clients.
#[derive(Debug)]
pub struct Statistics {
    listeners: Vec<Listener>,
    is_asked: bool,
    /// Whether an HTTP head stands before the document.
    speaks_http: bool,
    door: Door,
    clients: Clients,
}

/// What a descriptor belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// A listener, by its place.
    Listener(usize),
    /// A client.
    Client(ClientId),
}

impl Statistics {
    /// Answers at these, once it is told to.
    pub fn new(listeners: Vec<Listener>, speaks_http: bool) -> Statistics {
        let clients = Clients::new(MOST_CLIENTS, LONGEST_REQUEST);
        Statistics { listeners, is_asked: false, speaks_http, door: Door::default(), clients }
    }

    /// What is to be waited for.
    pub fn sources(&self) -> impl Iterator<Item = (Source, (BorrowedFd<'_>, Interest))> {
        let listeners = self.listeners.iter().enumerate().filter(|_| self.is_asked && self.door.is_open());
        let doors = listeners
            .map(|(index, listener)| (Source::Listener(index), (listener.as_fd(), Interest::Readable)));
        doors.chain(self.clients.sources().map(|(id, source)| (Source::Client(id), source)))
    }

    /// Where it listens.
    pub fn listeners(&mut self) -> &mut [Listener] {
        &mut self.listeners
    }

    /// Leaves new clients to the server before or after this one, which shares the listeners, or takes them again.
    pub fn answer_new_clients(&mut self, yes: bool) {
        self.is_asked = yes;
    }

    /// When something is due.
    pub fn deadline(&self) -> Option<Time> {
        [self.clients.deadline(), self.door.deadline()].into_iter().flatten().min()
    }

    /// Does what one descriptor is ready for.
    pub fn attend(&mut self, source: Source, now: Time) {
        match source {
            Source::Client(id) => self.clients.attend(id, now),
            Source::Listener(index) => {
                for _ in 0..MOST_CLIENTS {
                    let accepted = self.listeners.get(index).and_then(|one| self.door.accept(one, now));
                    let Some(stream) = accepted else { return };
                    self.clients.add(stream, now);
                }
            }
        }
    }

    /// Drops those whose time is over.
    pub fn expire(&mut self, now: Time) {
        self.clients.expire(now);
        self.door.pass_time(now);
    }

    /// Gives all who have come the document, which is made once for them.
    pub fn answer(&mut self, scene: &Scene<'_>, started: SystemTime) {
        let mut answer = None;
        for id in self.clients.ids() {
            if self.clients.take_request(id, |_| Some(0)).is_some() {
                let answer = answer.get_or_insert_with(|| made(scene, started, self.speaks_http));
                self.clients.answer(id, answer, After::Close, scene.now);
            }
        }
    }

    /// Removes the files of unix sockets.
    pub fn remove(&self) {
        self.listeners.iter().for_each(Listener::remove_file);
    }
}

fn made(scene: &Scene<'_>, started: SystemTime, with_head: bool) -> Vec<u8> {
    let document = serde_json::to_vec_pretty(&document::document(scene, started)).unwrap_or_default();
    if !with_head {
        return document;
    }
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        document.len()
    )
    .into_bytes();
    answer.extend(document);
    answer
}
