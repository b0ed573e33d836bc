//! What the front does, in the words of the protocol: read from its part of the scoreboard when it is asked for.

use tapster_observe::{FrontBoard, FrontCounter, FrontGauge, HostView, Scoreboard};

use super::protocol::{CacheStatus, FrontStatus, HostStatus};
use super::status::by_class;

/// Whether a front serves, or there is none.
pub fn serves(board: &Scoreboard) -> bool {
    let mut fronts = board.fronts().peekable();
    fronts.peek().is_none() || fronts.any(|front| front.serves())
}

/// Everything about all fronts together; none where there is none.
pub fn status(board: &Scoreboard) -> Option<FrontStatus> {
    board.front(0)?;
    let mut all = FrontStatus { ready: serves(board), ..FrontStatus::default() };
    let mut classes = [0; 5];
    for front in board.fronts() {
        add(&mut all, &front);
        classes.iter_mut().zip(front.statuses()).for_each(|(sum, count)| *sum += count);
    }
    all.requests = classes.iter().sum();
    all.statuses = by_class(classes);
    Some(all)
}

fn add(all: &mut FrontStatus, front: &FrontBoard) {
    all.connections += front.now(FrontGauge::Connections);
    all.waiting += front.now(FrontGauge::Waiting);
    all.holding += front.now(FrontGauge::Holding);
    all.bytes += front.counted(FrontCounter::Bytes);
    all.held += front.counted(FrontCounter::Held);
    all.retries += front.counted(FrontCounter::Retries);
    all.names_not_found += front.counted(FrontCounter::NamesNotFound);
    all.tls_handshakes += front.counted(FrontCounter::TlsHandshakes);
    all.tls_failures += front.counted(FrontCounter::TlsFailures);
    all.http2_connections[0] += front.now(FrontGauge::Http2Connections);
    all.http2_connections[1] += front.counted(FrontCounter::Http2Connections);
    all.http2_streams[0] += front.now(FrontGauge::Http2Streams);
    all.http2_streams[1] += front.counted(FrontCounter::Http2Streams);
    for (status, count) in front.refusals() {
        let name = if status == 0 { "other".to_owned() } else { status.to_string() };
        *all.refused.entry(name).or_default() += count;
    }
    if front.now(FrontGauge::CacheSize) > 0 {
        add_cache(all.cache.get_or_insert_default(), front);
    }
    front.hosts().into_iter().for_each(|host| add_host(&mut all.upstreams, host));
}

fn add_cache(cache: &mut CacheStatus, front: &FrontBoard) {
    cache.hits += front.counted(FrontCounter::CacheHits);
    cache.misses += front.counted(FrontCounter::CacheMisses);
    cache.stale += front.counted(FrontCounter::CacheStale);
    cache.coalesced += front.counted(FrontCounter::CacheCoalesced);
    cache.bypassed += front.counted(FrontCounter::CacheBypassed);
    cache.stored += front.counted(FrontCounter::CacheStored);
    cache.revalidated += front.counted(FrontCounter::CacheRevalidated);
    cache.evicted += front.counted(FrontCounter::CacheEvicted);
    cache.purged += front.counted(FrontCounter::CachePurged);
    cache.entries += front.now(FrontGauge::CacheEntries);
    cache.bytes += front.now(FrontGauge::CacheBytes);
    cache.size += front.now(FrontGauge::CacheSize);
}

fn add_host(hosts: &mut Vec<HostStatus>, host: HostView) {
    let HostView { group, name, state, serves, active, requests, failures } = host;
    let state = state.as_str().to_owned();
    match hosts.iter_mut().find(|known| known.group == group && known.name == name) {
        None => hosts.push(HostStatus { group, name, state, active, requests, failures }),
        Some(known) => {
            known.active += active;
            known.requests += requests;
            known.failures += failures;
            if !serves {
                known.state = state;
            }
        }
    }
}
