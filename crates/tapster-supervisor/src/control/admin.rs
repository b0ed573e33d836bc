//! The admin listeners: health checks, metrics and the dashboard over HTTP/1.1, answered without the application. One request a
//! connection, few and small heads, small bodies and only of orders.

mod access;
mod assets;
mod reply;
mod route;

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tapster_config::AdminAccess;
use tapster_http1::encode::DateCache;
use tapster_http1::{BodyLength, Head, Limits, framing};
use tapster_observe::exposition::Format;
use tapster_observe::{Incident, Log};
use tapster_sys::poll::{self, Interest};
use tapster_sys::socket::Listener;

use super::clients::{After, ClientId, Clients};
use super::door::Door;
use super::protocol::{Health, LONGEST_REQUEST, Request};

use access::Access;
use reply::Reply;
use route::Asked;

/// Time since the supervisor started.
type Time = Duration;

/// Clients at a time.
const MOST_CLIENTS: usize = 64;
/// How long those who have been accepted may take when this server ends and another one goes on.
const FAREWELL: Duration = Duration::from_secs(1);
/// Dashboards that follow what happens at a time; 503 beyond.
pub const MOST_STREAMS: usize = 16;
/// Bytes that a dashboard may leave unread before it is dropped; it comes again by itself.
const MOST_UNREAD: usize = 2 << 20;
/// Warnings of wrong tokens: one in this time.
const BETWEEN_WARNINGS: Duration = Duration::from_secs(10);
/// Probes send a few hundred bytes.
const LIMITS: Limits = Limits { request_line: 1024, head: 8 * 1024, fields: 50 };

/// The listeners and their clients.
#[derive(Debug)]
pub struct Admin {
    listeners: Vec<Listener>,
    /// Whether this server is the one that health checks are about.
    is_asked: bool,
    door: Door,
    clients: Clients,
    /// Those who came to a listener that others than this machine reach.
    strangers: Vec<ClientId>,
    /// Those who are sent events.
    streams: Vec<ClientId>,
    access: Access,
    log: Log,
    warned: Option<Time>,
    date: DateCache,
}

/// Where answers come from; looked at for those who ask.
pub struct Sources<'a> {
    /// How the server is.
    pub health: Health,
    /// Its metrics; none when it ends and another one goes on.
    pub metrics: &'a dyn Fn(Format) -> Option<String>,
    /// What the dashboard shows; none as for metrics.
    pub views: Option<Views<'a>>,
}

/// What the dashboard shows.
#[derive(Clone, Copy)]
pub struct Views<'a> {
    /// The configuration with its origins, as JSON.
    pub configuration: &'a dyn Fn() -> Vec<u8>,
    /// The first events of those who follow what happens; what they had last is known by its id.
    pub events: &'a dyn Fn(Option<&str>) -> Vec<u8>,
}

/// What a descriptor belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// A listener, by its place.
    Listener(usize),
    /// A client.
    Client(ClientId),
}

impl Admin {
    /// Answers at these, once it is told to.
    pub fn new(listeners: Vec<Listener>, access: AdminAccess, log: &Log) -> Admin {
        Admin {
            listeners,
            is_asked: false,
            door: Door::default(),
            clients: Clients::new(MOST_CLIENTS, LIMITS.head + LONGEST_REQUEST),
            strangers: Vec::new(),
            streams: Vec::new(),
            access: Access::new(access),
            log: log.clone(),
            warned: None,
            date: DateCache::default(),
        }
    }

    /// Whether there is anything to listen at.
    pub fn is_there(&self) -> bool {
        !self.listeners.is_empty()
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
                // As many as there is room for: a flood of them must not keep the supervisor from its work.
                for _ in 0..MOST_CLIENTS {
                    let Some(listener) = self.listeners.get(index) else { return };
                    let Some(stream) = self.door.accept(listener, now) else { return };
                    let id = self.clients.add(stream, now);
                    if !listener.is_local() {
                        self.strangers.push(id);
                    }
                }
            }
        }
    }

    /// Drops those whose time is over.
    pub fn expire(&mut self, now: Time) {
        self.clients.expire(now);
        self.door.pass_time(now);
    }

    /// Answers every request that is there, but for those given, which take others to be answered: see [`Admin::reply`].
    pub fn answer(&mut self, sources: &Sources<'_>, now: Time) -> Vec<(ClientId, Request)> {
        let mut requests = Vec::new();
        for id in self.clients.ids() {
            if let Some(bytes) = self.clients.take_request(id, length_of_request) {
                requests.extend(self.respond(id, &bytes, sources, now).map(|request| (id, request)));
            }
        }
        let Admin { clients, strangers, streams, .. } = self;
        strangers.retain(|id| clients.has(*id));
        streams.retain(|id| clients.has(*id));
        requests
    }

    fn respond(&mut self, id: ClientId, bytes: &[u8], sources: &Sources<'_>, now: Time) -> Option<Request> {
        let mut head = Head::default();
        let parsed = head.parse(bytes, &LIMITS).and_then(|_| framing(&head, bytes));
        let is_head = parsed.is_ok() && head.method.of(bytes) == b"HEAD";
        let is_local = !self.strangers.contains(&id);
        let asked = match parsed {
            Err(refusal) => Asked::Nothing(Reply::new(refusal.status(), refusal.reason())),
            Ok(framing) => route::route(&head, bytes, framing.body, is_local, sources, &self.access),
        };
        let mut after = After::Close;
        let reply = match asked {
            Asked::Order(request) => return Some(request),
            Asked::Events(_) if is_head => Reply::events(Vec::new()),
            Asked::Events(_) if self.streams.len() >= MOST_STREAMS => {
                Reply::new(503, "there are as many dashboards as there may be: close another one")
            }
            Asked::Events(begin) => {
                self.streams.push(id);
                after = After::Hold;
                Reply::events(begin)
            }
            Asked::Nothing(reply) => reply,
        };
        if reply.status == 401 && head.field(bytes, "authorization").is_some() {
            self.warn(now);
        }
        let answer = reply.encode(is_head, date(&mut self.date));
        self.clients.answer(id, &answer, after, now);
        None
    }

    fn warn(&mut self, now: Time) {
        if self.warned.is_none_or(|last| now >= last + BETWEEN_WARNINGS) {
            self.warned = Some(now);
            let what = format_args!("somebody came to the dashboard with a wrong token");
            self.log.report(Incident::ADMIN_TOKEN_WRONG, what);
        }
    }

    /// Answers one of the requests that [`Admin::answer`] gave.
    pub fn reply(&mut self, id: ClientId, json: &[u8], now: Time) {
        let answer = Reply::json(json.to_vec()).encode(false, date(&mut self.date));
        self.clients.answer(id, &answer, After::Close, now);
    }

    /// Whether whoever asked has gone.
    pub fn has_left(&self, id: ClientId) -> bool {
        self.clients.has_left(id)
    }

    /// Whether orders can be given here.
    pub fn takes_orders(&self) -> bool {
        self.access.has_token()
    }

    /// Whether anybody follows what happens.
    pub fn is_followed(&self) -> bool {
        !self.streams.is_empty()
    }

    /// Sends events to all who follow.
    pub fn tell(&mut self, events: &[u8], now: Time) {
        for id in &self.streams {
            self.clients.send_more(*id, events, MOST_UNREAD, now);
        }
    }

    /// Ends all streams of events: who follows comes again, to the server that goes on.
    pub fn end_streams(&mut self) {
        for id in self.streams.drain(..) {
            self.clients.drop_client(id);
        }
    }

    /// Answers those who have been accepted, for at most [`FAREWELL`]: this server ends and another one goes on, of which they
    /// know nothing. `clock` gives the time since the start.
    pub fn serve_to_end(&mut self, sources: &Sources<'_>, clock: impl Fn() -> Time) {
        let end = clock() + FAREWELL;
        loop {
            let now = clock();
            // Orders are for the server that goes on.
            for (id, _) in self.answer(sources, now) {
                self.clients.drop_client(id);
            }
            self.clients.expire(now);
            let (ids, waited): (Vec<_>, Vec<_>) = self.clients.sources().unzip();
            if ids.is_empty() || now >= end {
                return;
            }
            let Ok(found) = poll::wait(&waited, Some(end - now)) else { return };
            for (id, _) in ids.into_iter().zip(found).filter(|(_, found)| *found) {
                self.clients.attend(id, clock());
            }
        }
    }

    /// Removes the files of unix sockets.
    pub fn remove(&self) {
        self.listeners.iter().for_each(Listener::remove_file);
    }
}

/// Bytes of a whole request, or of what will never be one.
fn length_of_request(bytes: &[u8]) -> Option<usize> {
    let mut head = Head::default();
    match head.parse(bytes, &LIMITS) {
        Ok(true) => {
            let is_order = head.parts.path.of(bytes) == route::ORDERS;
            let body = match framing(&head, bytes).map(|framing| framing.body) {
                Ok(BodyLength::Length(length)) if is_order && length <= LONGEST_REQUEST as u64 => {
                    length as usize
                }
                // Refused without it.
                Ok(BodyLength::None | BodyLength::Length(_) | BodyLength::Chunked) | Err(_) => 0,
            };
            Some(head.length + body).filter(|length| *length <= bytes.len())
        }
        Ok(false) => None,
        Err(_) => Some(bytes.len()),
    }
}

fn date(cache: &mut DateCache) -> &[u8] {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    cache.at(seconds)
}

#[cfg(test)]
mod tests;
