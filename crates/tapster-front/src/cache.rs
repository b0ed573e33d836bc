//! Answers that are kept and given again (RFC 9111), in memory. A request that one of them suits is answered at once; otherwise
//! one request is sent for all that ask for the same, and its answer kept if it says that it may be.
//!
//! [`ask`] says what a request may have, [`store`] has the answers, [`flight`] is one that is being fetched, [`serve`] sends.

mod ask;
mod capture;
mod entry;
mod fetch;
mod flight;
mod freshness;
#[cfg(test)]
mod properties;
mod rules;
mod serve;
mod store;
mod vary;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use quick_cache::unsync;
use tapster_config::Settings;
use tapster_http1::syntax;
use tapster_observe::{FrontBoard, FrontCounter};
use tokio::time::timeout;

use crate::client::Client;
use crate::connection::{After, pass_on};
use crate::front::Front;
use crate::receive::Request;
use crate::refuse::Refused;
use crate::reply::{Head, Reply};
use ask::Ask;
pub(crate) use capture::Capture;
use entry::Entry;
use flight::{Flight, Next, Outcome, Reader};
use rules::Rules;
use serve::{Word, serve};
use store::Store;

/// For how long nobody waits for answers to a target after one that could not be stored.
const PRIVATE: Duration = Duration::from_secs(10);

/// How many such targets are known.
const MARKS: usize = 4096;

/// The cache, and what is being fetched for it.
pub(crate) struct Cache {
    rules: Rules,
    store: RefCell<Store>,
    flights: RefCell<HashMap<Box<[u8]>, Rc<Flight>>>,
    /// Targets whose answers could not be stored, and when that was.
    private: RefCell<unsync::Cache<Box<[u8]>, Instant>>,
    /// Bytes of answers that are to be stored and are not all there.
    filling: Cell<u64>,
    /// Where it counts what it does.
    board: FrontBoard,
}

impl Cache {
    /// None without `--cache`.
    pub(crate) fn new(settings: &Settings, board: &FrontBoard) -> Option<Rc<Cache>> {
        let rules = Rules::new(settings)?;
        Some(Rc::new(Cache {
            store: RefCell::new(Store::new(rules.size, board.clone())),
            rules,
            flights: RefCell::default(),
            private: RefCell::new(unsync::Cache::new(MARKS)),
            filling: Cell::new(0),
            board: board.clone(),
        }))
    }

    /// Whether another answer may be gathered.
    fn has_room(&self) -> bool {
        self.filling.get() < self.rules.size
    }

    /// Notes that the answer to a request could not be stored.
    fn mark(&self, ask: &Ask) {
        self.private.borrow_mut().insert(ask.mark().into(), Instant::now());
    }

    fn is_private(&self, ask: &Ask) -> bool {
        self.private.borrow().get(&*ask.mark()).is_some_and(|since| since.elapsed() < PRIVATE)
    }

    /// Bytes and targets that are held.
    pub(crate) fn held(&self) -> (u64, usize) {
        let store = self.store.borrow();
        (store.weight(), store.len())
    }

    /// The value of Date now.
    fn date(&self) -> Vec<u8> {
        httpdate::fmt_http_date(SystemTime::now()).into_bytes()
    }

    /// Takes note of an answer that is passed on: one to a request that writes makes stored ones wrong (RFC 9111 §4.4).
    pub(crate) fn passed(&self, client: &Client, request: &Request, head: &Head) {
        if !matches!(head.status, 200..=399) || is_safe(request.method()) {
            return;
        }
        let is_tls = client.ends().is_tls;
        let own = ask::key(is_tls, request, request.head.target.of(&request.bytes));
        let named = [&b"location"[..], b"content-location"].into_iter().filter_map(|name| {
            let target = head.value(name)?;
            let target = match target.starts_with(b"/") && !target.starts_with(b"//") {
                true => target,
                // On the same host, or it is for nobody here to say.
                false => own_target(own.as_deref()?, target)?,
            };
            ask::key(is_tls, request, target)
        });
        for key in named.chain(own.clone()) {
            self.forget(&key);
        }
    }

    /// Removes what is stored for a target, and does not store what is being fetched.
    fn forget(&self, key: &[u8]) {
        let removed = self.store.borrow_mut().remove_all(key);
        self.board.count_many(FrontCounter::CachePurged, removed);
        self.flights.borrow().values().filter(|flight| flight.key() == key).for_each(|flight| flight.void());
    }

    /// Removes what is stored by an operator's order: everything for `*`, the target of a URL, or all targets of a host, or on every
    /// host, that begin with what stands before a `*`. How many targets that were.
    pub(crate) fn purge(&self, what: &str) -> u64 {
        let (text, is_prefix) = what.strip_suffix('*').map_or((what, false), |text| (text, true));
        let is_meant = |key: &[u8]| {
            let known = if text.starts_with('/') { target_of(key) } else { key };
            let matches =
                if is_prefix { known.starts_with(text.as_bytes()) } else { known == text.as_bytes() };
            matches || is_prefix && text.is_empty()
        };
        let removed = self.store.borrow_mut().remove_if(is_meant);
        let flights = self.flights.borrow();
        flights.values().filter(|flight| is_meant(flight.key())).for_each(|flight| flight.void());
        self.board.count_many(FrontCounter::CachePurged, removed);
        removed
    }
}

/// Whether a method changes nothing (RFC 9110 §9.2.1).
fn is_safe(method: &[u8]) -> bool {
    matches!(method, b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE")
}

/// What follows scheme and host in a key.
fn target_of(key: &[u8]) -> &[u8] {
    let host = memchr::memmem::find(key, b"://").map_or(0, |place| place + 3);
    let rest = key.get(host..).unwrap_or_default();
    let slash = memchr::memchr(b'/', rest).unwrap_or(rest.len());
    &rest[slash..]
}

/// The target of an absolute URL on the host of a key.
fn own_target<'u>(key: &[u8], url: &'u [u8]) -> Option<&'u [u8]> {
    let host = key.len() - target_of(key).len();
    let (start, target) = url.split_at_checked(host)?;
    (start.eq_ignore_ascii_case(&key[..host]) && target.starts_with(b"/")).then_some(target)
}

/// Answers from the cache, or has somebody answer.
pub(crate) async fn answer(
    front: &Rc<Front>,
    cache: &Rc<Cache>,
    client: &mut Client,
    request: &Request,
) -> After {
    let Some(ask) = ask::ask(&cache.rules, client, request) else {
        cache.board.count(FrontCounter::CacheBypassed);
        return pass_on(front, client, request).await;
    };
    let found = cache.store.borrow().find(&ask, request);
    let now = Instant::now();
    if let Some(entry) = &found {
        if entry.freshness.is_fresh(now, &ask, request) {
            cache.board.count(FrontCounter::CacheHits);
            return serve(front, cache, client, request, &ask, entry, Word::Hit).await;
        }
        if entry.freshness.serves_meanwhile(now, &ask) {
            cache.board.count(FrontCounter::CacheStale);
            refresh(front, cache, client, request, entry);
            return serve(front, cache, client, request, &ask, entry, Word::Hit).await;
        }
    }
    if ask.has_control && wants_cached_alone(request) {
        cache.board.count(FrontCounter::CacheMisses);
        let reason = "the request asks for a stored answer alone (Cache-Control: only-if-cached)";
        return After::Refused(Refused::new(504, reason).for_head(request.is_head()));
    }
    // Of a head or a part nothing can be stored.
    if request.is_head() || ask.has_range || cache.is_private(&ask) {
        cache.board.count(FrontCounter::CacheMisses);
        return pass_on(front, client, request).await;
    }
    miss(front, cache, client, request, ask, found).await
}

/// Whether nobody is to be asked (RFC 9111 §5.2.1.7).
fn wants_cached_alone(request: &Request) -> bool {
    let mut directives = request.values("cache-control").flat_map(syntax::list);
    directives.any(|directive| directive.eq_ignore_ascii_case(b"only-if-cached"))
}

/// Has a stale answer fetched again, unless that is being done.
fn refresh(front: &Rc<Front>, cache: &Rc<Cache>, client: &Client, request: &Request, old: &Rc<Entry>) {
    let Some(ask) = ask::ask(&cache.rules, client, request) else { return };
    let key = cache.store.borrow().flight_key(&ask, request);
    if !cache.flights.borrow().contains_key(&key) {
        // Where it cannot be asked for, the next request that finds it too old asks.
        let _flight = fetch::start(front, cache, client, request, ask, Some(old.clone()), false);
    }
}

/// Waits for an answer that is being fetched, or fetches it.
async fn miss(
    front: &Rc<Front>,
    cache: &Rc<Cache>,
    client: &mut Client,
    request: &Request,
    ask: Ask,
    old: Option<Rc<Entry>>,
) -> After {
    let key = cache.store.borrow().flight_key(&ask, request);
    let under_way = cache.flights.borrow().get(&key).cloned();
    if let Some(flight) = under_way {
        return wait(front, cache, client, request, &ask, &flight).await;
    }
    let word = if old.is_some() { Word::Stale } else { Word::Miss };
    let again = ask::ask(&cache.rules, client, request);
    let flight = fetch::start(front, cache, client, request, ask, old, true);
    match again.zip(flight) {
        Some((again, flight)) => read(front, cache, client, request, &again, flight, word).await,
        None => {
            cache.board.count(FrontCounter::CacheMisses);
            pass_on(front, client, request).await
        }
    }
}

/// Waits for the answer to somebody else's request, as long as it may take.
async fn wait(
    front: &Rc<Front>,
    cache: &Rc<Cache>,
    client: &mut Client,
    request: &Request,
    ask: &Ask,
    flight: &Flight,
) -> After {
    let waited = tokio::select! {
        biased;
        waited = timeout(cache.rules.lock_timeout, flight.outcome()) => waited,
        () = client.stream.gone() => return After::Close,
    };
    match waited {
        Ok(Outcome::Stored(entry)) if entry.vary.suits(request) => {
            cache.board.count(FrontCounter::CacheCoalesced);
            serve(front, cache, client, request, ask, &entry, Word::Collapsed).await
        }
        Ok(Outcome::Stale(entry)) => {
            cache.board.count(FrontCounter::CacheStale);
            serve(front, cache, client, request, ask, &entry, Word::Hit).await
        }
        Ok(Outcome::Refused(refused)) => {
            cache.board.count(FrontCounter::CacheMisses);
            After::Refused(refused)
        }
        Ok(Outcome::Stored(_) | Outcome::Private | Outcome::Again) | Err(_) => {
            cache.board.count(FrontCounter::CacheMisses);
            pass_on(front, client, request).await
        }
    }
}

/// Reads along while the answer comes.
async fn read(
    front: &Rc<Front>,
    cache: &Rc<Cache>,
    client: &mut Client,
    request: &Request,
    ask: &Ask,
    flight: Rc<Flight>,
    word: Word,
) -> After {
    let mut reader = Reader::new(flight);
    let first = tokio::select! {
        biased;
        next = reader.next() => next,
        () = client.stream.gone() => return After::Close,
    };
    let is_stale = matches!(first, Next::Outcome(Outcome::Stale(_)));
    cache.board.count(if is_stale { FrontCounter::CacheStale } else { FrontCounter::CacheMisses });
    let (mut head, body) = match first {
        Next::Head(head, body) => (*head, body),
        Next::Outcome(Outcome::Stored(entry)) => {
            return serve(front, cache, client, request, ask, &entry, word).await;
        }
        Next::Outcome(Outcome::Stale(entry)) => {
            return serve(front, cache, client, request, ask, &entry, Word::Hit).await;
        }
        Next::Outcome(Outcome::Refused(refused)) => return After::Refused(refused),
        Next::Outcome(_) | Next::Piece(..) | Next::Broken => {
            return pass_on(front, client, request).await;
        }
    };
    let said: &[u8] = if word == Word::Stale { b"tapster; fwd=stale" } else { b"tapster; fwd=miss" };
    head.add(b"Cache-Status", said);
    let status = head.status;
    let mut reply = Reply::new(front, client, request, head, body, true);
    let relayed = relay(client, &mut reader, &mut reply).await;
    serve::note(front, client, request, status, reply.sent(), word);
    match relayed {
        Ok(()) if reply.keeps() => After::Next,
        Ok(()) => After::Linger,
        Err(error) => {
            front.log.debug(format_args!("{}: an answer was not sent to its end: {error}", client.peer()));
            After::Close
        }
    }
}

/// Sends the body as it comes.
async fn relay(client: &Client, reader: &mut Reader, reply: &mut Reply<'_>) -> io::Result<()> {
    loop {
        let next = tokio::select! {
            biased;
            next = reader.next() => next,
            () = client.stream.gone() => return Err(io::ErrorKind::ConnectionReset.into()),
        };
        match next {
            Next::Piece(data, is_last) => {
                reply.send(&data, is_last).await?;
                if is_last {
                    return Ok(());
                }
            }
            Next::Head(..) | Next::Outcome(_) | Next::Broken => {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}
