//! Health checks: each host is asked for a path from time to time, whether it gets requests or not.

use std::rc::{Rc, Weak};
use std::time::Duration;

use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};

use super::Upstreams;
use super::connect::connect;
use super::link::Link;
use super::message::Message;
use super::place::Place;
use crate::balance::{CHECK_LIMIT, HostId, OUT_INTERVAL, Standing};

/// How often a host that refuses connections is tried.
const REFUSED_INTERVAL: Duration = Duration::from_secs(1);

/// Checks a host for as long as there is one, if hosts are to be checked.
pub(super) fn follow(upstreams: &Rc<Upstreams>, host: HostId, place: Rc<Place>) {
    if let Some(path) = upstreams.rules.health_path.clone() {
        spawn_local(check(Rc::downgrade(upstreams), host, place, path));
    }
}

/// Tries whether a host that refuses connections accepts one again, once a second. Checks would find out; without them only a
/// request would, and none comes to a front that says that it is not ready.
pub(super) fn wait_for_connection(upstreams: &Rc<Upstreams>, host: HostId, place: &Place) {
    if upstreams.rules.health_path.is_some() || place.is_tried.replace(true) {
        return;
    }
    let upstreams = Rc::downgrade(upstreams);
    spawn_local(async move {
        loop {
            sleep(vary(REFUSED_INTERVAL)).await;
            let Some(upstreams) = upstreams.upgrade().filter(|one| !one.is_retired.get()) else { return };
            let is_refusing = upstreams.state.borrow().group.standing(host) == Some(Standing::Refusing);
            let place = upstreams.state.borrow().places.get(&host).cloned();
            let Some(place) = place else { return };
            if !is_refusing {
                return place.is_tried.set(false);
            }
            if connect(&place, CHECK_LIMIT).await.is_ok() {
                place.is_tried.set(false);
                return upstreams.learn(host, &place, |group, now| group.connected(host, now));
            }
        }
    });
}

async fn check(upstreams: Weak<Upstreams>, host: HostId, place: Rc<Place>, path: String) {
    let message = Message::check(&path, &place.name);
    loop {
        let is_well = timeout(CHECK_LIMIT, is_well(&place, &message)).await.unwrap_or(false);
        let Some(upstreams) = upstreams.upgrade().filter(|one| !one.is_retired.get()) else { return };
        upstreams.learn(host, &place, |group, now| group.checked(host, is_well, now));
        let interval = upstreams.rules.health_interval;
        let standing = upstreams.state.borrow().group.standing(host);
        let interval = match standing {
            None => return,
            Some(Standing::Ill) => interval.min(OUT_INTERVAL),
            Some(_) => interval,
        };
        drop(upstreams);
        sleep(vary(interval)).await;
    }
}

/// A tenth more or less, so that many fronts do not ask at once.
fn vary(interval: Duration) -> Duration {
    let fifth = u64::try_from(interval.as_micros() / 5).unwrap_or(u64::MAX);
    interval.mul_f64(0.9) + Duration::from_micros(tapster_sys::jitter::up_to(fifth))
}

/// Asks once, on a connection of its own: that it takes one is a part of the question.
async fn is_well(place: &Place, message: &Message) -> bool {
    let Ok(stream) = connect(place, CHECK_LIMIT).await else { return false };
    let mut link = Link::new(stream, place.protocol);
    let asked = link.ask(message, CHECK_LIMIT).await;
    asked.is_ok() && matches!(link.head.status, 200..=399)
}

impl Message {
    /// A health check.
    fn check(path: &str, name: &str) -> Message {
        let host = name.strip_prefix("http://").unwrap_or("localhost");
        let host = host.split(' ').next().unwrap_or("localhost");
        let http = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: tapster-front\r\nConnection: close\r\n\r\n"
        );
        let (path_info, query) = path.split_once('?').unwrap_or((path, ""));
        let variables: [(&str, &str); 9] = [
            ("REQUEST_METHOD", "GET"),
            ("REQUEST_URI", path),
            ("PATH_INFO", path_info),
            ("QUERY_STRING", query),
            ("SERVER_PROTOCOL", "HTTP/1.1"),
            ("SERVER_NAME", "localhost"),
            ("SERVER_PORT", "80"),
            ("HTTP_HOST", "localhost"),
            ("HTTP_USER_AGENT", "tapster-front"),
        ];
        let variables = variables.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let mut packet = Vec::new();
        // A path has less than a packet may.
        let _fits = tapster_uwsgi::encode(&mut packet, tapster_uwsgi::REQUEST, 0, variables);
        Message::plain(http.into_bytes(), packet)
    }
}
