//! Who may come in, and how often (`--allow`, `--deny`, `--limit-connections`, `--limit-requests`).
//!
//! A connection is looked at when it comes, before TLS, and again behind a PROXY header ([`enter`]); each request before anything else
//! is done for it ([`ask`]). Who the client is says [`Policy`](crate::policy::Policy): a trusted proxy's connections are nobody's, and
//! its requests those of the clients that it names. Without these options nothing of this runs.

mod answer;
mod connections;
mod lists;
mod networks;
mod paths;
mod rate;
mod recent;
mod telling;

use std::cell::RefCell;
use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Instant;
use tapster_observe::Incident;

use tapster_config::{Peers, Protection, Settings};
use tokio::task::{spawn_blocking, spawn_local};

use crate::client::Client;
use crate::connection;
use crate::front::Front;
use crate::policy::{self, Belief};
use crate::receive::Request;
use crate::refuse::Refused;
pub(crate) use answer::Refusal;
use connections::Connections;
pub(crate) use connections::Counted;
pub use lists::check_lists;
use lists::{List, Lists};
use networks::{Mask, Network};
use paths::Paths;
use rate::Limit;
use telling::{Cause, Tellings};

/// What the options say, and what is known of clients.
pub(crate) struct Admission {
    mask: Mask,
    exempt: Peers,
    is_dry_run: bool,
    connections: Option<Rc<Connections>>,
    limits: Vec<Limit>,
    lists: RefCell<Lists>,
    /// What the lists are made of, to make them anew.
    protection: Protection,
    /// Some rule is for some paths alone.
    needs_path: bool,
    tellings: RefCell<Tellings>,
    began: Instant,
}

impl Admission {
    /// None where no option asks for any of this.
    ///
    /// # Errors
    /// When a file of a list cannot be read.
    pub(crate) fn new(settings: &Settings) -> Result<Option<Admission>, String> {
        let protection = &settings.protection;
        if !protection.is_asked() {
            return Ok(None);
        }
        let lists = Lists::read(protection)?;
        let limits: Vec<_> = protection.requests.iter().map(Limit::new).collect();
        Ok(Some(Admission {
            mask: Mask { ipv4: protection.ipv4_prefix, ipv6: protection.ipv6_prefix },
            exempt: protection.exempt.clone(),
            is_dry_run: protection.dry_run,
            connections: Connections::new(protection.connections),
            needs_path: lists.need_paths() || limits.iter().any(Limit::needs_path),
            limits,
            lists: RefCell::new(lists),
            protection: protection.clone(),
            tellings: RefCell::default(),
            began: Instant::now(),
        }))
    }

    /// Whether it does what these options say.
    pub(crate) fn is_made_of(&self, protection: &Protection) -> bool {
        self.protection == *protection
    }

    fn is_exempt(&self, address: &IpAddr) -> bool {
        self.exempt.contains(address)
    }

    /// Writes to the log that a client is refused, unless that was just said; `to` is what it came for.
    fn tell(&self, front: &Front, who: Who, cause: Cause, to: &dyn fmt::Display) {
        let now = self.began.elapsed();
        if let Some(told) = self.tellings.borrow_mut().told((who.network(&self.mask), cause), now) {
            let verb = if self.is_dry_run && cause.is_limit() { "would be refused" } else { "refused" };
            let reason = self.reason(cause);
            front.log.report(
                Incident::CLIENT_REFUSED,
                format_args!("{}: {verb}{to}: {reason}{told}", who.shown(&self.mask, cause)),
            );
        }
    }

    fn reason(&self, cause: Cause) -> String {
        match cause {
            Cause::Listed(List::Allow) => "not on the list of --allow".to_owned(),
            Cause::Listed(List::Deny) => "on the list of --deny".to_owned(),
            Cause::Connections => {
                format!("more connections than --limit-connections {}", self.protection.connections)
            }
            Cause::Requests(index) => {
                let limit = self.limits.get(index).map(ToString::to_string);
                format!("more requests than --limit-requests {}", limit.unwrap_or_default())
            }
        }
    }
}

/// A client, as lists and limits know it.
#[derive(Clone, Copy)]
struct Who(Option<IpAddr>);

impl Who {
    fn network(self, mask: &Mask) -> Option<Network> {
        self.0.map(|address| mask.network(address))
    }

    /// Its network for a limit, its address for a list.
    fn shown(self, mask: &Mask, cause: Cause) -> String {
        match self.0 {
            Some(address) if cause.is_limit() => mask.shown(address),
            Some(address) => address.to_string(),
            None => "a client of a unix socket".to_owned(),
        }
    }
}

/// A connection whose peer is known: whether it may stay. Limits hold for it as long as it lives.
///
/// # Errors
/// When it may not: it is to be closed, and the log knows why.
pub(crate) fn enter(front: &Front, client: &mut Client) -> Result<(), Refused> {
    let Some(admission) = &front.admission else { return Ok(()) };
    let ends = client.ends();
    // A proxy's connections are nobody's: its requests say whose they are. Nor does a unix socket say who comes.
    let Some(address) = policy::address(&ends.peer).filter(|_| front.policy.belief(ends) < Belief::All)
    else {
        return Ok(());
    };
    if let Some(list) = admission.lists.borrow().refusing(Some(address), None) {
        admission.tell(front, Who(Some(address)), Cause::Listed(list), &"");
        return Err(Refused::silently());
    }
    if let Some(connections) = &admission.connections
        && !admission.is_exempt(&address)
    {
        client.counted = connections.count(admission.mask.network(address));
        if client.counted.is_none() {
            admission.tell(front, Who(Some(address)), Cause::Connections, &" a connection");
            return if admission.is_dry_run { Ok(()) } else { Err(Refused::silently()) };
        }
    }
    Ok(())
}

/// Whether a request may be served. What it gives counts the request for as long as that takes.
///
/// # Errors
/// The answer, if it may not.
pub(crate) fn ask(front: &Front, client: &Client, request: &Request) -> Result<Option<Counted>, Refusal> {
    match &front.admission {
        None => Ok(None),
        Some(admission) => admission.ask(front, client, request),
    }
}

impl Admission {
    fn ask(&self, front: &Front, client: &Client, request: &Request) -> Result<Option<Counted>, Refusal> {
        let address = front.policy.address(client.ends(), request);
        let path = if self.needs_path { connection::path(request) } else { None };
        let paths = path.as_deref().map(Paths::new);
        let told = |cause, status| {
            self.tell(front, Who(address), cause, &format_args!(" with {status}"));
        };
        if let Some(list) = self.lists.borrow().refusing(address, paths.as_ref()) {
            told(Cause::Listed(list), 403);
            return Err(Refusal::NotAllowed);
        }
        let Some(address) = address.filter(|address| !self.is_exempt(address)) else { return Ok(None) };
        let network = self.mask.network(address);
        let now = self.began.elapsed();
        for (index, limit) in self.limits.iter().enumerate() {
            if !limit.is_for(paths.as_ref()) {
                continue;
            }
            if let Err(wait) = limit.take(network, now) {
                told(Cause::Requests(index), 429);
                if !self.is_dry_run {
                    return Err(Refusal::TooMany(wait));
                }
            }
        }
        let is_named = front.policy.belief(client.ends()) == Belief::All;
        let Some(connections) = self.connections.as_ref().filter(|_| is_named) else { return Ok(None) };
        let counted = connections.count(network);
        if counted.is_none() {
            told(Cause::Connections, 429);
            if !self.is_dry_run {
                return Err(Refusal::TooManyAtOnce);
            }
        }
        Ok(counted)
    }
}

/// Reads the files of the lists anew, without keeping anybody waiting. What cannot be read leaves everything as it is.
pub(crate) fn reread(front: &Rc<Front>) {
    let Some(protection) = front.admission.as_ref().map(|admission| admission.protection.clone()) else {
        return;
    };
    if !protection.allow.iter().chain(&protection.deny).any(|rule| !rule.files.is_empty()) {
        return;
    }
    let front = front.clone();
    spawn_local(async move {
        let read = spawn_blocking(move || Lists::read(&protection)).await;
        match read.map_err(|error| error.to_string()).and_then(|read| read) {
            Ok(lists) => {
                let count = lists.count();
                if let Some(admission) = &front.admission {
                    admission.lists.replace(lists);
                }
                front.log.info(format_args!("the lists of clients were read anew: {count} networks"));
            }
            Err(error) => front.log.report(
                Incident::LISTS_UNCHANGED,
                format_args!("the lists of clients stay as they were: {error}"),
            ),
        }
    });
}
