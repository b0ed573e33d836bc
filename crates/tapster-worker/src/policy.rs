//! The settings as the loop needs them: bounds, time-outs and whom to trust. Read by every thread, never changed.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use tapster_config::{BindProtocol, EarlyHints, HeaderMap, Peers, ProxyProtocol, Settings};
use tapster_gateway::proxy_header::{Ends, ProxyVersions};
use tapster_gateway::trace::Sampler;
use tapster_gateway::{Endpoint, Name, Request, RequestIdField, Scheme, Variable, Vars, forwarded, hop};

use crate::connection::Facts;
use crate::introduction::Introduction;
use crate::pace::PaceLimits;

/// Why a connection rests, which decides how long it may. How long a transfer may take is `pace.rs`'s.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rest {
    /// Between requests.
    Idle,
    /// Inside a head.
    Head,
    /// Closing.
    Linger,
}

/// How long a closing connection may be silent before it is cut.
const LINGER_SILENT: Duration = Duration::from_secs(2);

/// How long a closing connection may go on sending before it is cut (RFC 9112 §9.6).
const LINGER: Duration = Duration::from_secs(30);

/// How long requests may take; none is no limit.
pub(crate) struct Times {
    /// In the application, without a sign of it.
    pub(crate) request: Option<Duration>,
    /// For a thread to come back after that.
    pub(crate) grace: Duration,
    /// Before it is told of.
    pub(crate) slow: Option<Duration>,
    /// Waiting for a thread.
    pub(crate) queue: Option<Duration>,
    /// Keeping the interpreter's lock.
    pub(crate) lock: Option<Duration>,
    /// Waiting for a thread while nothing comes of any request.
    pub(crate) stall: Option<Duration>,
}

impl Times {
    fn new(settings: &Settings) -> Times {
        let limit = |time: Duration| (!time.is_zero()).then_some(time);
        Times {
            request: limit(settings.request_timeout),
            grace: settings.timeout_grace,
            slow: limit(settings.slow_log),
            queue: limit(settings.queue_timeout),
            lock: limit(settings.gil_timeout),
            stall: limit(settings.stall_timeout)
                .map(|stall| limit(settings.request_timeout).map_or(stall, |request| stall.min(request * 2))),
        }
    }

    /// Whether there is any limit for somebody to look at.
    pub(crate) fn any(&self) -> bool {
        self.shortest().is_some()
    }

    /// No request is due before it has run for this long.
    pub(crate) fn shortest(&self) -> Option<Duration> {
        self.request.into_iter().chain(self.slow).min()
    }
}

/// Bounds and trust, from the settings.
pub(crate) struct Policy {
    pub(crate) http: tapster_http1::Limits,
    pub(crate) uwsgi: tapster_uwsgi::Limits,
    pub(crate) max_body: u64,
    pub(crate) body_memory: usize,
    pub(crate) stream_body: bool,
    pub(crate) bind_protocol: BindProtocol,
    pub(crate) pace: PaceLimits,
    pub(crate) times: Times,
    pub(crate) refuses_underscores: bool,
    pub(crate) server_header: bool,
    pub(crate) early_hints: EarlyHints,
    /// The field that names requests, if they have names.
    pub(crate) request_id: Option<RequestIdField>,
    /// Which requests have spans, if any.
    pub(crate) sampler: Option<Sampler>,
    keep_alive: Duration,
    head_timeout: Duration,
    forwarded_allow_ips: Peers,
    uwsgi_allow_from: Peers,
    /// Whether fields that a client may have written set the scheme of a uwsgi packet.
    pub(crate) uwsgi_forwarded_scheme: bool,
    pub(crate) proxy_versions: ProxyVersions,
    proxy_allow_from: Peers,
}

/// Which requests have spans; all that are in no trace which says otherwise, unless told so.
fn sampler(settings: &Settings) -> Option<Sampler> {
    let otlp = &settings.monitoring.otlp;
    let all = Sampler { by_parent: true, millionths: 1_000_000 };
    let told = otlp.sampler.map(|told| Sampler { by_parent: told.by_parent, millionths: told.millionths });
    otlp.has_spans().then(|| told.unwrap_or(all))
}

impl Policy {
    pub(crate) fn new(settings: &Settings) -> Policy {
        let limits = &settings.limits;
        Policy {
            http: tapster_http1::Limits {
                request_line: limits.request_line,
                head: limits.head,
                fields: limits.fields,
            },
            uwsgi: tapster_uwsgi::Limits::default(),
            max_body: limits.body,
            body_memory: limits.body_memory,
            stream_body: settings.stream_body,
            bind_protocol: settings.bind_protocol,
            pace: PaceLimits::new(settings),
            times: Times::new(settings),
            refuses_underscores: settings.header_map == HeaderMap::Refuse,
            server_header: settings.server_header,
            early_hints: settings.early_hints,
            request_id: settings.request_id.as_deref().map(RequestIdField::new),
            sampler: sampler(settings),
            keep_alive: settings.keep_alive,
            head_timeout: settings.head_timeout,
            forwarded_allow_ips: settings.forwarded_allow_ips.clone(),
            uwsgi_allow_from: settings.uwsgi_allow_from.clone(),
            uwsgi_forwarded_scheme: settings.uwsgi_forwarded_scheme,
            proxy_versions: match settings.proxy_protocol {
                ProxyProtocol::Off | ProxyProtocol::Auto => ProxyVersions::Any,
                ProxyProtocol::V1 => ProxyVersions::One,
                ProxyProtocol::V2 => ProxyVersions::Two,
            },
            proxy_allow_from: settings.proxy_allow_from.clone(),
        }
    }

    /// Until when a connection may rest that began, or last got on, at `since`.
    pub(crate) fn deadline(&self, rest: Rest, since: Instant, now: Instant) -> Option<Instant> {
        match rest {
            Rest::Idle => since.checked_add(self.keep_alive),
            Rest::Head => since.checked_add(self.head_timeout),
            Rest::Linger => (since + LINGER).min(now + LINGER_SILENT).into(),
        }
    }

    /// The bounds on a head of the front's, which has a field more than its client sent.
    pub(crate) fn hop_limits(&self) -> tapster_http1::Limits {
        let tapster_http1::Limits { request_line, head, fields } = self.http;
        tapster_http1::Limits { request_line, head: head + hop::LONGEST, fields: fields + 3 }
    }

    /// Writes the line of an answer's head that names the request; none where requests have no names.
    pub(crate) fn write_id(&self, out: &mut Vec<u8>, vars: &Vars) {
        if let (Some(field), Some(id)) = (&self.request_id, vars.get(Variable::TapsterRequestId)) {
            field.write(out, id);
        }
    }

    /// Whether a connection may serve a second request.
    pub(crate) fn keeps_alive(&self) -> bool {
        !self.keep_alive.is_zero()
    }

    /// What the two ends of a connection allow.
    pub(crate) fn facts(&self, local: Endpoint, peer: Endpoint, introduction: Introduction) -> Facts {
        Facts {
            introduction,
            is_tls: false,
            speaks_http2: false,
            said: Box::default(),
            variables: Vec::new(),
            may_speak_uwsgi: self.may_speak_uwsgi(&local, &peer),
            is_trusted_proxy: trusts(&self.forwarded_allow_ips, &peer),
            connection: tapster_gateway::Connection::new(local, peer),
        }
    }

    /// Whether a peer may say who the client is by a PROXY header.
    pub(crate) fn may_introduce(&self, peer: &Endpoint) -> bool {
        trusts(&self.proxy_allow_from, peer)
    }

    /// Believes a PROXY header: from now on it is the client that it names who is trusted or not, and no longer the
    /// proxy, through which anybody may speak. Its unix sockets are not ours.
    pub(crate) fn introduce(&self, facts: &mut Facts, ends: Option<Ends>, is_tls: bool) {
        if let Some(Ends { source, destination }) = ends {
            let is_elsewhere =
                matches!((&source, &destination), (Endpoint::Unix(_), _) | (_, Endpoint::Unix(_)));
            *facts = self.facts(destination, source, Introduction::Made);
            facts.may_speak_uwsgi &= !is_elsewhere || self.uwsgi_allow_from.everyone;
            facts.is_trusted_proxy &= !is_elsewhere || self.forwarded_allow_ips.everyone;
        }
        facts.introduction = Introduction::Made;
        facts.is_tls = is_tls;
    }

    /// uwsgi is believed from unix sockets, where both ends are loopback, and from listed networks: its variables
    /// say who the client is.
    fn may_speak_uwsgi(&self, local: &Endpoint, peer: &Endpoint) -> bool {
        match (local, peer) {
            (Endpoint::Unix(_), _) | (_, Endpoint::Unix(_)) => true,
            (Endpoint::Inet(local, _), Endpoint::Inet(address, _)) => {
                is_loopback(*local) && is_loopback(*address) || trusts(&self.uwsgi_allow_from, peer)
            }
        }
    }

    /// Believes what a trusted proxy says of the scheme and, when proxies were named, of the client.
    pub(crate) fn forwarded(&self, facts: &Facts, request: &mut Request) {
        for (name, value) in &facts.variables {
            request.vars.set(Name::Other(name), value);
        }
        request.scheme = if facts.is_tls { Scheme::Https } else { Scheme::Http };
        if facts.is_trusted_proxy {
            let peers = &self.forwarded_allow_ips;
            let trusts = |address: IpAddr| peers.everyone || peers.contains(&address);
            let client = peers.explicit.then_some(&trusts as &dyn Fn(IpAddr) -> bool);
            request.scheme = forwarded::apply(&mut request.vars, client).unwrap_or(request.scheme);
        }
    }
}

fn trusts(peers: &Peers, endpoint: &Endpoint) -> bool {
    peers.everyone
        || match endpoint {
            Endpoint::Unix(_) => peers.unix,
            Endpoint::Inet(address, _) => peers.contains(address),
        }
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}
