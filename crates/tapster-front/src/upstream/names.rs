//! From the places of upstreams to addresses. Names are looked up again when what was answered holds no more: what they stand
//! for changes when servers come and go.

use std::net::{IpAddr, SocketAddr};
use std::rc::{Rc, Weak};
use std::time::Duration;

use tapster_config::UpstreamPlace;
use tapster_observe::{FrontCounter, Incident};
use tokio::task::spawn_local;
use tokio::time::sleep;

use super::Upstreams;
use super::place::{Address, Place};
use crate::resolve::{Found, UNTIMED, look_up};

/// How soon a name that nothing is known of is looked up again at first; each time after that it takes twice as long, up to
/// [`UNTIMED`].
const SOONEST: Duration = Duration::from_millis(500);

/// Keeps the addresses of an upstream right.
pub(super) fn follow(upstreams: &Rc<Upstreams>, index: usize) {
    let upstream = &upstreams.rules.upstreams[index];
    let one = |address| vec![Place::new(upstream, address)];
    match &upstream.place {
        UpstreamPlace::Inet(address) => upstreams.set_addresses(index, one(Address::Inet(*address))),
        UpstreamPlace::Unix(path) => upstreams.set_addresses(index, one(Address::Unix(path.clone()))),
        UpstreamPlace::Host(name, port) => {
            let name = Name { index, name: name.clone(), port: *port };
            // What a configuration before knew of it holds until it is looked up.
            let known = upstreams.resolved.borrow().get(&name.name).cloned().unwrap_or_default();
            if !known.is_empty() {
                name.set(upstreams, &known);
            }
            spawn_local(name.keep_right(Rc::downgrade(upstreams), known));
        }
    }
}

/// An upstream that was given by name.
struct Name {
    index: usize,
    name: String,
    port: u16,
}

impl Name {
    async fn keep_right(self, upstreams: Weak<Upstreams>, mut known: Vec<IpAddr>) {
        let (mut is_failing, mut pause) = (false, SOONEST);
        let mut servers = match upstreams.upgrade() {
            Some(upstreams) => upstreams.rules.resolvers.clone(),
            None => return,
        };
        servers.dedup();
        loop {
            let found = look_up(&self.name, &servers).await;
            let Some(upstreams) = upstreams.upgrade().filter(|one| !one.is_retired.get()) else { return };
            let again = match found {
                Ok(found) => {
                    if is_failing {
                        upstreams.log.info(format_args!("upstream {}: the name is found again", self.name));
                    }
                    (is_failing, pause) = (false, SOONEST);
                    let holds = found.holds;
                    self.note(&upstreams, found, &mut known);
                    holds
                }
                // What was known stays.
                Err(error) => {
                    self.failed(&upstreams, &error, is_failing, !known.is_empty());
                    is_failing = true;
                    let now = pause;
                    pause = UNTIMED.min(2 * pause);
                    if known.is_empty() { now } else { UNTIMED }
                }
            };
            drop(upstreams);
            sleep(again).await;
        }
    }

    /// Takes what was found, and keeps what nobody answered for.
    fn note(&self, upstreams: &Rc<Upstreams>, found: Found, known: &mut Vec<IpAddr>) {
        let (v4, v6) = found.is_unknown;
        let kept = known.iter().filter(|address| if address.is_ipv4() { v4 } else { v6 });
        let mut addresses: Vec<_> = found.addresses.into_iter().chain(kept.copied()).collect();
        addresses.sort_unstable();
        if addresses != *known {
            upstreams.log.info(format_args!("upstream {} is {}", self.name, words(&addresses)));
            self.set(upstreams, &addresses);
            upstreams.resolved.borrow_mut().insert(self.name.clone(), addresses.clone());
            *known = addresses;
        }
    }

    fn failed(&self, upstreams: &Upstreams, error: &std::io::Error, was_failing: bool, is_known: bool) {
        upstreams.counters.count(FrontCounter::NamesNotFound);
        if !was_failing {
            let rest = if is_known { "; the addresses known so far hold" } else { "" };
            upstreams.log.report(
                Incident::UPSTREAM_NAME_NOT_FOUND,
                format_args!("upstream {}: the name is not found: {error}{rest}", self.name),
            );
        }
    }

    fn set(&self, upstreams: &Rc<Upstreams>, addresses: &[IpAddr]) {
        let upstream = &upstreams.rules.upstreams[self.index];
        let address = |ip: &IpAddr| Address::Inet(SocketAddr::new(*ip, self.port));
        let places = addresses.iter().map(|ip| Place::new(upstream, address(ip)));
        upstreams.set_addresses(self.index, places.collect());
    }
}

fn words(addresses: &[IpAddr]) -> String {
    let words: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    words.join(", ")
}
