//! What the options say of upstreams. Read for every request, never changed.

use std::net::SocketAddr;
use std::time::Duration;

use aws_lc_rs::hmac;
use tapster_config::{Balance, BalanceKey, Settings, Upstream, UpstreamGroup, UpstreamProtocol};
use tapster_http1::BodyLength;

use crate::balance::{Algorithm, hash};
use crate::client::Client;
use crate::policy::Policy;
use crate::receive::Request;

/// How long a request waits for a slot where `--queue-timeout` says nothing.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(5);

/// The options.
#[derive(PartialEq)]
pub(crate) struct Rules {
    /// What the group is called.
    pub(super) name: String,
    pub(super) upstreams: Vec<Upstream>,
    /// Who is asked for their names; none means whom the system asks.
    pub(super) resolvers: Vec<SocketAddr>,
    pub(super) slots: Option<usize>,
    pub(super) algorithm: Algorithm,
    key: BalanceKey,
    cookie: String,
    /// What the tokens of hosts are made with, so that nobody finds out by them where hosts are.
    secret: Option<Secret>,
    /// Requests with an idempotency key may be sent again, whatever their method.
    retries_keys: bool,
    pub(super) hold: Duration,
    pub(super) queue_timeout: Duration,
    pub(super) connect_timeout: Duration,
    /// For the head of an answer, and for each piece of it.
    pub(super) answer_timeout: Duration,
    pub(super) keep_alive: Duration,
    /// How long a connection that speaks another protocol may be silent.
    pub(super) tunnel_timeout: Duration,
    pub(super) health_path: Option<String>,
    pub(super) health_interval: Duration,
    /// Where bodies are that are too large for memory.
    pub(super) temp_dir: std::path::PathBuf,
    pub(super) spool_max: u64,
}

/// What the tokens of hosts are made with: the option's text, which tells whether a reload has changed it, and its key.
struct Secret {
    text: String,
    key: hmac::Key,
}

impl Secret {
    fn new(text: &str) -> Secret {
        Secret { text: text.to_owned(), key: hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes()) }
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        self.text == other.text
    }
}

impl Rules {
    /// Those of one group.
    pub(crate) fn new(settings: &Settings, group: &UpstreamGroup) -> Rules {
        let passing = &group.passing;
        Rules {
            name: group.name.clone(),
            upstreams: group.upstreams.clone(),
            resolvers: passing.resolvers.clone(),
            slots: (passing.slots > 0).then_some(passing.slots),
            algorithm: match passing.balance {
                Balance::LeastRequest => Algorithm::LeastRequest,
                Balance::Latency => Algorithm::Latency,
                Balance::RoundRobin => Algorithm::RoundRobin,
                Balance::Hash => Algorithm::Hash,
                Balance::Sticky => Algorithm::Sticky,
            },
            key: passing.key.clone(),
            cookie: passing.sticky_cookie.clone(),
            secret: passing.sticky_secret.as_deref().map(Secret::new),
            retries_keys: passing.retry_idempotency_key,
            hold: passing.hold,
            queue_timeout: match settings.queue_timeout {
                Duration::ZERO => QUEUE_TIMEOUT,
                limit => limit,
            },
            connect_timeout: passing.connect_timeout,
            answer_timeout: passing.answer_timeout,
            keep_alive: passing.keep_alive,
            tunnel_timeout: passing.tunnel_timeout,
            health_path: passing.health_path.clone(),
            health_interval: passing.health_interval,
            temp_dir: settings.temp_dir.clone().unwrap_or_else(std::env::temp_dir),
            spool_max: settings.spool_max,
        }
    }

    /// Whether the body of a request may be sent as it comes: uwsgi has no word for a length that is not known.
    pub(super) fn may_stream(&self, request: &Request) -> bool {
        request.framing.body != BodyLength::Chunked
            || self.upstreams.iter().all(|upstream| upstream.protocol == UpstreamProtocol::Http)
    }

    /// What decides which host a request gets, if something does.
    pub(super) fn key(&self, policy: &Policy, client: &Client, request: &Request) -> Option<u64> {
        match (self.algorithm, &self.key) {
            (Algorithm::LeastRequest | Algorithm::Latency | Algorithm::RoundRobin, _) => None,
            (Algorithm::Sticky, _) => token(cookie(request, &self.cookie)?),
            (Algorithm::Hash, BalanceKey::Client) => {
                policy.address(client.ends(), request).map(|address| hash(address.to_string().as_bytes()))
            }
            (Algorithm::Hash, BalanceKey::Header(name)) => request.field(name).map(hash),
            (Algorithm::Hash, BalanceKey::Cookie(name)) => cookie(request, name).map(hash),
        }
    }

    /// What a client is given to come back to the host of this name.
    pub(super) fn token(&self, name: &str) -> u64 {
        let Some(secret) = &self.secret else { return hash(name.as_bytes()) };
        let tag = hmac::sign(&secret.key, name.as_bytes());
        tag.as_ref().first_chunk().map_or(0, |start| u64::from_be_bytes(*start))
    }

    /// Whether a request may be sent again when it is not known what became of it (RFC 9110 §9.2.2).
    pub(super) fn is_idempotent(&self, request: &Request) -> bool {
        matches!(request.method(), b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE" | b"PUT" | b"DELETE")
            || self.retries_keys && request.field("idempotency-key").is_some()
    }

    /// The value of Set-Cookie that makes a client come back to the host with this token, if it would not already.
    pub(super) fn set_cookie(&self, token: u64, request: &Request, is_tls: bool) -> Option<String> {
        if self.algorithm != Algorithm::Sticky {
            return None;
        }
        let value = format!("{token:016x}");
        let is_known = cookie(request, &self.cookie).is_some_and(|known| known == value.as_bytes());
        let secure = if is_tls { "; Secure" } else { "" };
        (!is_known).then(|| format!("{}={value}; Path=/; HttpOnly; SameSite=Lax{secure}", self.cookie))
    }
}

/// The value of a cookie (RFC 6265 §4.2.1).
fn cookie<'r>(request: &'r Request, name: &str) -> Option<&'r [u8]> {
    let named = |pair: &'r [u8]| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"=");
    let fields = request.head.fields.iter();
    let values = fields
        .filter(|field| field.name.of(&request.bytes).eq_ignore_ascii_case(b"cookie"))
        .map(|field| field.value.of(&request.bytes));
    values.flat_map(|value| value.split(|&byte| byte == b';')).find_map(named)
}

fn token(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok().filter(|text| text.len() == 16)?;
    u64::from_str_radix(text, 16).ok()
}
