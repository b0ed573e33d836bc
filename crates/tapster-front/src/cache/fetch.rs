//! Has an answer fetched, by a task of its own: the request goes the way of all requests, and comes to a [`Flight`].

use std::rc::Rc;

use tapster_http1::syntax;
use tokio::task::spawn_local;

use super::ask::Ask;
use super::capture::Capture;
use super::entry::Entry;
use super::flight::Flight;
use super::{Cache, vary};
use crate::client::Client;
use crate::connection::{After, pass_on};
use crate::front::Front;
use crate::receive::{self, Request};
use crate::refuse::Refused;
use crate::request_id;
use crate::stream::Stream;

/// Fields that ask for less than the whole answer, and one that is told anew.
const DROPPED: &[&[u8]] = &[
    b"accept-encoding",
    b"if-match",
    b"if-modified-since",
    b"if-none-match",
    b"if-range",
    b"if-unmodified-since",
    b"range",
];

/// Begins to fetch what a request asks for; `old` is the answer that is there. None if that cannot be asked for this way.
pub(super) fn start(
    front: &Rc<Front>,
    cache: &Rc<Cache>,
    client: &Client,
    request: &Request,
    ask: Ask,
    old: Option<Rc<Entry>>,
    has_reader: bool,
) -> Option<Rc<Flight>> {
    let sent = receive::whole(front, head(request, old.as_deref())).ok()?;
    if let Some(id) = request_id::named(front, client, request) {
        let _unset = sent.id.set(id.to_owned());
    }
    let key = cache.store.borrow().flight_key(&ask, request);
    let flight = Flight::new(cache, ask, sent, old, has_reader);
    cache.flights.borrow_mut().insert(key.clone(), flight.clone());
    let landing = Landing { cache: cache.clone(), flight: flight.clone(), key, refused: None };
    let (front, ends) = (front.clone(), client.ends().clone());
    spawn_local(async move {
        let mut landing = landing;
        let flight = landing.flight.clone();
        let mut client = Client::on(Stream::Captured(Box::new(Capture::new(flight.clone()))), ends);
        if let After::Refused(refused) = pass_on(&front, &mut client, flight.request()).await {
            landing.refused = Some(refused);
        }
    });
    Some(flight)
}

/// Whatever becomes of the task, nobody waits for ever.
struct Landing {
    cache: Rc<Cache>,
    flight: Rc<Flight>,
    key: Box<[u8]>,
    refused: Option<Refused>,
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.cache.flights.borrow_mut().remove(&self.key);
        self.flight.end(self.refused.take());
    }
}

/// The request without what is the client's alone to ask; with `old`, whether that is right still.
pub(super) fn head(request: &Request, old: Option<&Entry>) -> Vec<u8> {
    let Request { bytes, head, .. } = request;
    let mut out = Vec::with_capacity(head.length + 128);
    out.extend_from_slice(b"GET ");
    out.extend_from_slice(head.target.of(bytes));
    out.extend_from_slice(b" HTTP/1.1\r\n");
    let mut field = |name: &[u8], value: &[u8]| {
        out.extend_from_slice(name);
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    };
    let is_dropped = |name: &[u8]| {
        DROPPED.iter().any(|known| known.len() == name.len() && syntax::is_lower_case_of(known, name))
    };
    for known in &head.fields {
        let name = known.name.of(bytes);
        if !is_dropped(name) {
            field(name, known.value.of(bytes));
        }
    }
    let codings = vary::codings(request);
    if !codings.is_empty() {
        field(b"Accept-Encoding", codings.as_bytes());
    }
    let old = old.map(Entry::plain);
    if let Some(etag) = old.and_then(|old| old.head.value(b"etag")) {
        field(b"If-None-Match", etag);
    }
    if let Some(modified) = old.and_then(|old| old.head.value(b"last-modified")) {
        field(b"If-Modified-Since", modified);
    }
    out.extend_from_slice(b"\r\n");
    out
}
