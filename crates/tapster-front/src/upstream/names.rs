//! From the places of upstreams to addresses. Names are looked up again and again: what they stand for changes when servers
//! come and go.
//!
//! By the system's own resolver, every few seconds: it knows what every other program on the host knows (/etc/hosts, search
//! domains, nsswitch), and it or its cache honours the time to live, of which it says nothing.

use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::time::Duration;

use tapster_config::UpstreamPlace;
use tokio::net::lookup_host;
use tokio::task::spawn_local;
use tokio::time::sleep;

use super::Upstreams;
use super::place::{Address, Place};

/// How often.
const INTERVAL: Duration = Duration::from_secs(5);

/// And as long as nothing is known.
const FIRST: Duration = Duration::from_millis(500);

/// Keeps the addresses of an upstream right.
pub(super) fn follow(upstreams: &Rc<Upstreams>, index: usize) {
    let upstream = &upstreams.rules.upstreams[index];
    let one = |address| vec![Place::new(upstream, address)];
    match &upstream.place {
        UpstreamPlace::Inet(address) => upstreams.set_addresses(index, one(Address::Inet(*address))),
        UpstreamPlace::Unix(path) => upstreams.set_addresses(index, one(Address::Unix(path.clone()))),
        UpstreamPlace::Host(name, port) => {
            spawn_local(look_up(Rc::downgrade(upstreams), index, name.clone(), *port));
        }
    }
}

async fn look_up(upstreams: Weak<Upstreams>, index: usize, name: String, port: u16) {
    let (mut known, mut is_failing) = (Vec::new(), false);
    loop {
        let found = addresses(&name, port).await;
        let Some(upstreams) = upstreams.upgrade().filter(|one| !one.is_retired.get()) else { return };
        match found {
            Ok(found) => {
                is_failing = false;
                if found != known {
                    upstreams.log.info(format_args!("upstream {name} is {}", words(&found)));
                    let upstream = &upstreams.rules.upstreams[index];
                    let place = |address: &SocketAddr| Place::new(upstream, Address::Inet(*address));
                    upstreams.set_addresses(index, found.iter().map(place).collect());
                    known = found;
                }
            }
            // What was known stays.
            Err(error) if !is_failing => {
                is_failing = true;
                upstreams.log.warning(format_args!("upstream {name}: the name is not found: {error}"));
            }
            Err(_) => {}
        }
        drop(upstreams);
        sleep(if known.is_empty() { FIRST } else { INTERVAL }).await;
    }
}

/// What a name stands for now, at least one address.
async fn addresses(name: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
    let mut found: Vec<SocketAddr> = lookup_host((name, port)).await?.collect();
    found.sort_unstable();
    found.dedup();
    if found.is_empty() { Err(std::io::ErrorKind::NotFound.into()) } else { Ok(found) }
}

fn words(addresses: &[SocketAddr]) -> String {
    let words: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
    words.join(", ")
}
