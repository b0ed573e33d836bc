//! Whether an answer may be stored, and for how long it is fresh (RFC 9111 §3, §4.2), by `http-cache-semantics`, made stricter where
//! the standard leaves room.

use std::time::{Duration, Instant, SystemTime};

use http::header::{AGE, CACHE_CONTROL, PRAGMA};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_cache_semantics::{BeforeRequest, CacheOptions, CachePolicy};
use tapster_http1::syntax;

use super::ask::Ask;
use super::rules::Rules;
use crate::receive::Request;
use crate::reply::Head;

/// No guesses: an answer that does not say how long it is fresh is not.
const OPTIONS: CacheOptions = CacheOptions {
    shared: true,
    cache_heuristic: 0.0,
    immutable_min_time_to_live: Duration::ZERO,
    ignore_cargo_cult: false,
};

/// Statuses that are stored where a rule says for how long and the answer does not.
const BY_RULE: &[u16] = &[200, 203, 300, 301, 308, 404, 410];

/// For how long an answer may be used.
pub(crate) struct Freshness {
    policy: CachePolicy,
    /// How old it was when it came.
    age: Duration,
    came: Instant,
    /// Until when it is fresh.
    until: Instant,
    /// How long after that it may be used while another one is fetched.
    while_revalidate: Duration,
    /// And how long where that fails.
    if_error: Duration,
}

/// The request as the policy is to see it. Which answer it gets was found by the key; the policy is asked about time alone.
fn asked(request: &Request) -> Option<http::Request<()>> {
    let mut asked = http::Request::new(());
    for field in &request.head.fields {
        let name = HeaderName::from_bytes(field.name.of(&request.bytes)).ok()?;
        let value = field.value.of(&request.bytes);
        let is_control = name == CACHE_CONTROL || name == PRAGMA;
        if is_control {
            asked.headers_mut().append(name, HeaderValue::from_bytes(&value.to_ascii_lowercase()).ok()?);
        }
    }
    Some(asked)
}

impl Freshness {
    /// None if the answer is not to be stored. `ask` is the request that it answers.
    pub(crate) fn of(rules: &Rules, ask: &Ask, request: &Request, head: &Head) -> Option<Freshness> {
        if head.has(b"set-cookie") || head.has(b"content-range") || matches!(head.status, 204 | 206 | 304) {
            return None;
        }
        let control = Control::of(head);
        let says_nothing = !head.has(b"cache-control") && !head.has(b"expires") && !head.has(b"pragma");
        let by_rule = ask.lifetime.filter(|_| says_nothing);
        if by_rule.is_some() && (ask.has_cookie || !BY_RULE.contains(&head.status)) {
            return None;
        }
        let mut headers = headers(head)?;
        if let Some(lifetime) = by_rule {
            let value = format!("max-age={}", lifetime.as_secs().max(1));
            headers.insert(CACHE_CONTROL, HeaderValue::from_str(&value).ok()?);
        }
        let age = age(head);
        headers.insert(AGE, HeaderValue::from(age.as_secs()));
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_u16(head.status).ok()?;
        *response.headers_mut() = headers;
        let (now, came) = (SystemTime::now(), Instant::now());
        let policy = CachePolicy::new_options(&asked(request)?, &response, now, OPTIONS);
        let left = if policy.is_storable() { policy.time_to_live(now) } else { Duration::ZERO };
        let left = match by_rule {
            // It may be less than a second.
            Some(lifetime) if !left.is_zero() => lifetime.saturating_sub(age),
            _ => left.min(MOST),
        };
        (!left.is_zero()).then(|| Freshness {
            policy,
            age,
            came,
            until: came + left,
            while_revalidate: control.stale(control.while_revalidate, rules.stale_while_revalidate),
            if_error: control.stale(control.if_error, rules.stale_if_error),
        })
    }

    /// How old the answer is.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        self.age + now.saturating_duration_since(self.came)
    }

    /// How long it is fresh yet, in seconds; less than nothing says since when it is not.
    pub(crate) fn left(&self, now: Instant) -> i64 {
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        match self.until.checked_duration_since(now) {
            Some(left) => seconds(left),
            None => -1 - seconds(now.saturating_duration_since(self.until)),
        }
    }

    /// Whether it is fresh enough for a request.
    pub(crate) fn is_fresh(&self, now: Instant, ask: &Ask, request: &Request) -> bool {
        match ask.has_control {
            false => now < self.until,
            // The client says how old it may be.
            true => asked(request).is_some_and(|asked| {
                matches!(self.policy.before_request(&asked, SystemTime::now()), BeforeRequest::Fresh(_))
            }),
        }
    }

    /// Whether it may be used while another one is fetched (RFC 5861 §3).
    pub(crate) fn serves_meanwhile(&self, now: Instant, ask: &Ask) -> bool {
        !ask.has_control && now < self.until + self.while_revalidate
    }

    /// Whether it may be used where no other one can be had (RFC 5861 §4).
    pub(crate) fn serves_instead(&self, now: Instant) -> bool {
        now < self.until + self.if_error
    }
}

/// Nothing is fresh for longer: a clock that is wrong at one end may say anything.
const MOST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The fields that the policy reads. Directives are in small letters there (RFC 9111 §5.2).
fn headers(head: &Head) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in head.iter() {
        let name = HeaderName::from_bytes(name).ok()?;
        let value = match name == CACHE_CONTROL {
            true => HeaderValue::from_bytes(&value.to_ascii_lowercase()).ok()?,
            false => HeaderValue::from_bytes(value).ok()?,
        };
        headers.append(name, value);
    }
    Some(headers)
}

/// How old an answer is that comes now (RFC 9111 §4.2.3): by what caches before us said, and by its date.
fn age(head: &Head) -> Duration {
    let said = head.value(b"age").and_then(syntax::decimal).map(Duration::from_secs);
    let date = head.value(b"date").and_then(|value| std::str::from_utf8(value).ok());
    let apparent = date
        .and_then(|date| httpdate::parse_http_date(date).ok())
        .and_then(|date| SystemTime::now().duration_since(date).ok());
    // A second is what dates are true to.
    let apparent = apparent.filter(|age| age.as_secs() > 1);
    said.unwrap_or_default().max(apparent.unwrap_or_default()).min(MOST)
}

/// What Cache-Control says of stale answers.
#[derive(Default)]
struct Control {
    while_revalidate: Option<Duration>,
    if_error: Option<Duration>,
    /// Stale answers are not to be used.
    forbids: bool,
}

impl Control {
    fn of(head: &Head) -> Control {
        let mut control = Control::default();
        for directive in head.values(b"cache-control").flat_map(syntax::list) {
            let (name, value) = match directive.iter().position(|&byte| byte == b'=') {
                Some(place) => (&directive[..place], &directive[place + 1..]),
                None => (directive, &b""[..]),
            };
            let value =
                value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
            let time = syntax::decimal(value).map(|seconds| Duration::from_secs(seconds).min(MOST));
            match name.to_ascii_lowercase().as_slice() {
                b"stale-while-revalidate" => control.while_revalidate = time,
                b"stale-if-error" => control.if_error = time,
                b"must-revalidate" | b"proxy-revalidate" | b"no-cache" => control.forbids = true,
                _ => {}
            }
        }
        control
    }

    fn stale(&self, said: Option<Duration>, usual: Duration) -> Duration {
        if self.forbids { Duration::ZERO } else { said.unwrap_or(usual) }
    }
}
