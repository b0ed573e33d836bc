//! The admin listeners: health checks and metrics over HTTP/1.1, answered without the application. One request a connection,
//! no bodies, few and small heads.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tapster_http1::encode::{BodyField, Connection, DateCache, ServerFields, reason_phrase, response_head};
use tapster_http1::{BodyLength, Head, Limits, framing};
use tapster_observe::exposition::Format;
use tapster_sys::poll::{self, Interest};
use tapster_sys::socket::Listener;

use super::clients::{After, ClientId, Clients};
use super::door::Door;
use super::protocol::Health;

/// Time since the supervisor started.
type Time = Duration;

/// Clients at a time.
const MOST_CLIENTS: usize = 64;
/// How long those who have been accepted may take when this server ends and another one goes on.
const FAREWELL: Duration = Duration::from_secs(1);
/// What most answers are.
const PLAIN: &str = "text/plain; charset=utf-8";
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
    date: DateCache,
}

/// Where answers come from; looked at for those who ask.
pub struct Sources<'a> {
    /// How the server is.
    pub health: Health,
    /// Its metrics; none when it ends and another one goes on.
    pub metrics: &'a dyn Fn(Format) -> Option<String>,
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
    pub fn new(listeners: Vec<Listener>) -> Admin {
        let clients = Clients::new(MOST_CLIENTS, LIMITS.head);
        Admin { listeners, is_asked: false, door: Door::default(), clients, date: DateCache::default() }
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

    /// Answers every request that is there.
    pub fn answer(&mut self, sources: &Sources<'_>, now: Time) {
        for id in self.clients.ids() {
            if let Some(head) = self.clients.take_request(id, length_of_head) {
                let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
                let answer = respond(&head, sources, self.date.at(seconds));
                self.clients.answer(id, &answer, After::Close, now);
            }
        }
    }

    /// Answers those who have been accepted, for at most [`FAREWELL`]: this server ends and another one goes on, of which they
    /// know nothing. `clock` gives the time since the start.
    pub fn serve_to_end(&mut self, sources: &Sources<'_>, clock: impl Fn() -> Time) {
        let end = clock() + FAREWELL;
        loop {
            let now = clock();
            self.answer(sources, now);
            self.clients.expire(now);
            let (ids, sources): (Vec<_>, Vec<_>) = self.clients.sources().unzip();
            if ids.is_empty() || now >= end {
                return;
            }
            let Ok(found) = poll::wait(&sources, Some(end - now)) else { return };
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

/// Bytes of a whole head, or of what will never be one.
fn length_of_head(bytes: &[u8]) -> Option<usize> {
    let mut head = Head::default();
    match head.parse(bytes, &LIMITS) {
        Ok(true) => Some(head.length),
        Ok(false) => None,
        Err(_) => Some(bytes.len()),
    }
}

/// What is said to a request.
struct Reply {
    status: u16,
    content_type: &'static str,
    text: String,
    /// Fields besides the usual ones, each with its line end.
    fields: &'static str,
}

impl Reply {
    fn new(status: u16, text: &str) -> Reply {
        Reply { status, content_type: PLAIN, text: format!("{text}\n"), fields: "" }
    }
}

/// The whole answer to a head.
fn respond(bytes: &[u8], sources: &Sources<'_>, date: &[u8]) -> Vec<u8> {
    let mut head = Head::default();
    let parsed = head.parse(bytes, &LIMITS).and_then(|_| framing(&head, bytes));
    let method = head.method.of(bytes);
    let reply = match parsed {
        Err(refusal) => Reply::new(refusal.status(), refusal.reason()),
        Ok(framing) if framing.body != BodyLength::None && framing.body != BodyLength::Length(0) => {
            Reply::new(413, "a health check has no body")
        }
        Ok(_) if method != b"GET" && method != b"HEAD" => {
            Reply { fields: "Allow: GET, HEAD\r\n", ..Reply::new(405, "only GET and HEAD") }
        }
        Ok(_) => {
            let format = Format::accepted(head.field(bytes, "accept"));
            route(head.parts.path.of(bytes), format, sources)
        }
    };
    encode(&reply, parsed.is_ok() && method == b"HEAD", date)
}

/// The resource at a path.
fn route(path: &[u8], format: Format, sources: &Sources<'_>) -> Reply {
    let health = sources.health;
    let probe = |good: bool, yes: &str, no: &str| match good {
        true => Reply::new(200, yes),
        false => Reply::new(503, no),
    };
    match path {
        b"/-/live" => Reply::new(200, "live"),
        b"/-/ready" => probe(health.ready, "ready", "not ready"),
        b"/-/startup" => probe(health.started, "started", "starting"),
        b"/-/metrics" => match (sources.metrics)(format) {
            Some(text) => {
                Reply { status: 200, content_type: format.content_type(), text, fields: "Vary: Accept\r\n" }
            }
            None => Reply::new(503, "another server has taken over: ask again"),
        },
        _ => Reply::new(404, "there are /-/live, /-/ready, /-/startup and /-/metrics"),
    }
}

fn encode(reply: &Reply, without_body: bool, date: &[u8]) -> Vec<u8> {
    let phrase = if reply.status == 200 { "OK" } else { reason_phrase(reply.status) };
    let text = format!(
        "{} {phrase}\r\nContent-Type: {}\r\nCache-Control: no-store\r\n{}",
        reply.status, reply.content_type, reply.fields
    );
    let body = BodyField::Length(reply.text.len() as u64);
    let fields =
        ServerFields { date: Some(date), server: false, body, connection: Connection::Close, lines: b"" };
    let mut out = Vec::new();
    response_head(&mut out, text.as_bytes(), &fields);
    if !without_body {
        out.extend_from_slice(reply.text.as_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::time::Instant;

    use super::*;

    const DATE: &[u8] = b"Thu, 01 Jan 1970 00:00:00 GMT";
    const SERVES: Health = Health { ready: true, started: true };

    const FAREWELLS: Sources<'static> = Sources { health: SERVES, metrics: &|_| None };

    fn ask(text: &str, health: Health) -> String {
        let metrics = |format: Format| Some(format!("{format:?}"));
        String::from_utf8(respond(text.as_bytes(), &Sources { health, metrics: &metrics }, DATE)).unwrap()
    }

    fn status(path: &str, health: Health) -> u16 {
        let answer = ask(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"), health);
        answer["HTTP/1.1 ".len()..][..3].parse().unwrap()
    }

    #[test]
    fn probes_say_how_it_is() {
        let starting = Health::default();
        let stopping = Health { ready: false, started: true };
        let all = |path| [starting, SERVES, stopping].map(|health| status(path, health));
        assert_eq!(all("/-/live"), [200, 200, 200]);
        assert_eq!(all("/-/startup"), [503, 200, 200]);
        assert_eq!(all("/-/ready?verbose"), [503, 200, 503]);
        assert_eq!(all("/-/ready/"), [404, 404, 404]);
    }

    #[test]
    fn an_answer_is_whole_and_ends_the_connection() {
        let answer = ask("GET /-/live HTTP/1.1\r\nHost: a\r\n\r\n", SERVES);
        assert_eq!(
            answer,
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n\
             Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlive\n"
        );
        let head = ask("HEAD /-/live HTTP/1.1\r\nHost: a\r\n\r\n", SERVES);
        assert_eq!(head, answer.strip_suffix("live\n").unwrap());
    }

    #[test]
    fn who_was_accepted_is_answered_before_the_end() {
        let mut admin = Admin::new(Vec::new());
        let (mut client, server) = UnixStream::pair().unwrap();
        server.set_nonblocking(true).unwrap();
        admin.clients.add(server.into(), Time::ZERO);
        let began = Instant::now();
        let asks = std::thread::spawn(move || {
            client.write_all(b"GET /-/ready HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).unwrap();
            answer
        });
        admin.serve_to_end(&FAREWELLS, || began.elapsed());
        assert!(asks.join().unwrap().ends_with("\r\n\r\nready\n"));
        assert!(admin.clients.ids().is_empty());
    }

    #[test]
    fn who_says_nothing_does_not_keep_it_from_the_end() {
        let mut admin = Admin::new(Vec::new());
        let (silent, server) = UnixStream::pair().unwrap();
        server.set_nonblocking(true).unwrap();
        admin.clients.add(server.into(), Time::ZERO);
        let calls = Cell::new(0);
        admin.serve_to_end(&FAREWELLS, || FAREWELL * calls.replace(calls.get() + 1));
        drop(silent);
    }

    #[test]
    fn metrics_come_in_the_format_that_is_asked_for() {
        let scrape = |accept: &str| {
            let accept = if accept.is_empty() { String::new() } else { format!("Accept: {accept}\r\n") };
            ask(&format!("GET /-/metrics HTTP/1.1\r\nHost: a\r\n{accept}\r\n"), SERVES)
        };
        let plain = scrape("");
        assert!(plain.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{plain}");
        assert!(plain.ends_with("\r\n\r\nPrometheus") && plain.contains("Vary: Accept\r\n"), "{plain}");
        let open = scrape("application/openmetrics-text");
        assert!(
            open.contains("Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"),
            "{open}"
        );
    }

    #[test]
    fn what_is_no_health_check_is_refused() {
        for (request, status) in [
            ("POST /-/live HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "405"),
            ("GET /-/live HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", "413"),
            ("GET /-/live HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "413"),
            ("GET /-/live HTTP/1.1\r\n\r\n", "400"),
            ("GET /-/live HTTP/1.1\nHost: a\n\n", "400"),
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "404"),
        ] {
            assert!(ask(request, SERVES).starts_with(&format!("HTTP/1.1 {status} ")), "{request}");
        }
        assert_eq!(length_of_head(&[b'x'; 2000]), Some(2000));
        assert_eq!(length_of_head(b"GET / HTTP/1.1\r\nHost: a\r\n"), None);
        assert_eq!(length_of_head(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nmore"), Some(27));
    }
}
