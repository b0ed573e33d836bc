//! Metrics of what stands before the workers: the front, and the servers that it passes requests to.

use tapster_observe::exposition::{Family, Value};

use super::super::front;
use super::super::protocol::{CacheStatus, FrontStatus, HostStatus};
use super::{Scene, counter, gauge, label, plain};

/// Of all fronts together; without samples where there is none.
pub fn families(scene: &Scene<'_>) -> Vec<Family> {
    let status = front::status(scene.board);
    let status = status.as_ref();
    let mut families = traffic(status);
    families.extend(secure(status));
    families.extend(cache(status.and_then(|status| status.cache.as_ref())));
    families.extend(hosts(status.map(|status| &*status.upstreams).unwrap_or_default()));
    families
}

fn one(family: Family, count: Option<u64>) -> Family {
    match count {
        Some(count) => plain(family, count),
        None => family,
    }
}

fn traffic(status: Option<&FrontStatus>) -> Vec<Family> {
    let classes = status.into_iter().flat_map(|status| &status.statuses);
    let refused = status.into_iter().flat_map(|status| &status.refused);
    let get = |of: fn(&FrontStatus) -> u64| status.map(of);
    vec![
        counter("tapster_front_requests", "Answers of the front, by class of the status.")
            .with_all(classes.map(|(class, count)| (label("class", class), Value::Count(*count)))),
        counter("tapster_front_refusals", "Of these, requests that the front refused by itself, by status.")
            .with_all(refused.map(|(status, count)| (label("status", status), Value::Count(*count)))),
        one(
            counter("tapster_front_response_body_bytes", "Bytes of the bodies of the front's answers."),
            get(|all| all.bytes),
        ),
        one(
            gauge("tapster_front_connections", "Open connections of the front's clients."),
            get(|all| all.connections),
        ),
        one(
            gauge("tapster_front_waiting", "Requests that wait for a worker or an upstream."),
            get(|all| all.waiting),
        ),
        one(
            gauge("tapster_front_holding", "Requests that wait until any worker or upstream can be reached."),
            get(|all| all.holding),
        ),
        one(counter("tapster_front_held", "Requests that waited so."), get(|all| all.held)),
        one(counter("tapster_front_retries", "Requests that were sent once more."), get(|all| all.retries)),
    ]
}

fn secure(status: Option<&FrontStatus>) -> Vec<Family> {
    let get = |of: fn(&FrontStatus) -> u64| status.map(of);
    vec![
        one(
            counter("tapster_front_tls_handshakes", "Clients that spoke TLS."),
            get(|all| all.tls_handshakes),
        ),
        one(
            counter(
                "tapster_front_tls_failures",
                "Clients that came to a port for TLS and did not get that far.",
            ),
            get(|all| all.tls_failures),
        ),
        one(
            gauge("tapster_front_http2_connections_open", "Connections that speak HTTP/2."),
            get(|all| all.http2_connections[0]),
        ),
        one(
            counter("tapster_front_http2_connections", "Connections that spoke HTTP/2."),
            get(|all| all.http2_connections[1]),
        ),
        one(
            gauge("tapster_front_http2_streams_open", "Streams on connections that speak HTTP/2."),
            get(|all| all.http2_streams[0]),
        ),
        one(
            counter("tapster_front_http2_streams", "Streams on connections that spoke HTTP/2."),
            get(|all| all.http2_streams[1]),
        ),
    ]
}

fn cache(status: Option<&CacheStatus>) -> Vec<Family> {
    let get = |of: fn(&CacheStatus) -> u64| status.map(of);
    let results = status.into_iter().flat_map(|all| {
        [
            ("hit", all.hits),
            ("miss", all.misses),
            ("stale", all.stale),
            ("coalesced", all.coalesced),
            ("bypassed", all.bypassed),
        ]
    });
    vec![
        counter("tapster_cache_requests", "Requests that came to the response cache, by result.")
            .with_all(results.map(|(result, count)| (label("result", result), Value::Count(count)))),
        one(counter("tapster_cache_stored", "Answers that were stored."), get(|all| all.stored)),
        one(
            counter("tapster_cache_revalidated", "Kept answers that were renewed."),
            get(|all| all.revalidated),
        ),
        one(
            counter("tapster_cache_evicted", "Kept answers that made room for others."),
            get(|all| all.evicted),
        ),
        one(counter("tapster_cache_purged", "Kept answers that were purged."), get(|all| all.purged)),
        one(gauge("tapster_cache_entries", "Answers that are kept."), get(|all| all.entries)),
        one(gauge("tapster_cache_bytes", "Bytes that they take."), get(|all| all.bytes)),
        one(gauge("tapster_cache_limit_bytes", "Bytes that they may take."), get(|all| all.size)),
    ]
}

fn hosts(hosts: &[HostStatus]) -> Vec<Family> {
    let each = |of: fn(&HostStatus) -> u64| {
        hosts.iter().map(move |host| {
            let labels = vec![("group", host.group.clone()), ("host", host.name.clone())];
            (labels, Value::Count(of(host)))
        })
    };
    let states = hosts.iter().map(|host| {
        let labels = vec![
            ("group", host.group.clone()),
            ("host", host.name.clone()),
            ("state", super::word(&host.state)),
        ];
        (labels, Value::Count(1))
    });
    vec![
        counter("tapster_upstream_requests", "Requests that were passed to an upstream.")
            .with_all(each(|host| host.requests)),
        counter("tapster_upstream_failures", "Of these, those that failed.")
            .with_all(each(|host| host.failures)),
        gauge("tapster_upstream_active", "Requests that an upstream works on.")
            .with_all(each(|host| host.active)),
        gauge("tapster_upstream_state", "The state of an upstream: 1 for the one that it is in.")
            .with_all(states),
    ]
}
