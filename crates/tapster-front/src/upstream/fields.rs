//! The head of a request as an upstream gets it: framed anew, without what belongs to the client's connection, and with
//! nothing said of the client but by us and by proxies that are believed.

use std::time::{SystemTime, UNIX_EPOCH};

use tapster_gateway::{Endpoint, forwarded, hop, percent};
use tapster_http1::{Form, Refusal, encode, syntax};

use super::upgrade;
use crate::client::Client;
use crate::forwarding::{self, is_one_of};
use crate::front::Front;
use crate::policy::Belief;
use crate::receive::Request;
use crate::refuse::Refused;
use crate::request_id;
use crate::route::Stripped;
use crate::stream::Stream;

/// Fields of one connection (RFC 9110 §7.6.1), those that say how the body is framed, and one that would become a variable
/// of the environment of a CGI program (CVE-2016-5385).
const HOP_BY_HOP: &[&[u8]] = &[
    b"connection",
    b"content-length",
    b"expect",
    b"http2-settings",
    b"keep-alive",
    b"proxy",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
];

/// What proxies before us said, as far as it is believed.
#[derive(Default)]
struct Said {
    addresses: Vec<u8>,
    /// All of Forwarded; of a proxy that is believed about the scheme alone, nothing else of it counts.
    forwarded: Vec<u8>,
    has_proto: bool,
    has_host: bool,
    has_start: bool,
    via: Vec<u8>,
}

/// Writes the head; `body` is none for a request without one, its length none where that is not known.
///
/// # Errors
/// For what no application could be given, and for underscores where they are refused.
pub(super) fn head(
    front: &Front,
    client: &Client,
    request: &Request,
    stripped: Option<&Stripped>,
    body: Option<Option<u64>>,
) -> Result<Vec<u8>, Refused> {
    let policy = &front.policy;
    let Request { bytes, head, .. } = request;
    check(request)?;
    let nominated: Vec<&[u8]> = values(request, b"connection").flat_map(syntax::list).collect();
    let belief = policy.belief(client.ends());
    let mut said = Said::default();
    let mut out = Vec::with_capacity(head.length + 256);
    request_line(&mut out, request, stripped);
    let host = host(&mut out, request);
    let fields = out.len();
    for field in &head.fields {
        let (name, value) = (field.name.of(bytes), field.value.of(bytes));
        if name.contains(&b'_') {
            match policy.refuses_underscores {
                true => return Err(refuse(Refusal::FieldUnderscore, request)),
                false => continue,
            }
        }
        let is_its_own = is_one_of(HOP_BY_HOP, name)
            || name.eq_ignore_ascii_case(b"host")
            || hop::is_name(name)
            || request_id::is_name(front, name)
            || stripped.is_some() && is_one_of(&[b"x-forwarded-prefix"], name)
            || nominated.iter().any(|option| option.eq_ignore_ascii_case(name));
        if is_its_own || said.takes(name, value, belief) {
            continue;
        }
        line(&mut out, name, value);
    }
    add_forwarding(&mut out, client, request, belief, said, &host);
    request_id::write(&mut out, front, client, request);
    if let Some(overrides) = request.overrides.get() {
        overrides.change_request(front, client, request, &mut out, fields);
    }
    if let Some(Stripped { prefix, .. }) = stripped {
        line(&mut out, b"X-Forwarded-Prefix", prefix);
    }
    if upgrade::is_wanted(request) {
        upgrade::FIELDS.into_iter().for_each(|(name, value)| line(&mut out, name, value));
    }
    match body {
        None => {}
        Some(Some(length)) => {
            out.extend_from_slice(b"Content-Length: ");
            encode::decimal(&mut out, length);
            out.extend_from_slice(b"\r\n");
        }
        Some(None) => line(&mut out, b"Transfer-Encoding", b"chunked"),
    }
    out.extend_from_slice(b"\r\n");
    Ok(out)
}

impl Said {
    /// Whether a field is not passed on as it is: it is kept for [`add_forwarding`], or is not believed.
    fn takes(&mut self, name: &[u8], value: &[u8], belief: Belief) -> bool {
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        if is(b"via") {
            join(&mut self.via, value);
            return true;
        }
        if is(b"x-request-start") {
            self.has_start |= belief == Belief::All;
            return belief < Belief::All;
        }
        if !forwarding::is_name(name) {
            return false;
        }
        if is(b"x-forwarded-proto") {
            self.has_proto |= belief >= Belief::Scheme;
            return belief < Belief::Scheme;
        }
        if is(b"forwarded") && belief >= Belief::Scheme {
            join(&mut self.forwarded, value);
            return true;
        }
        if belief < Belief::All {
            return true;
        }
        if is(b"x-forwarded-for") {
            join(&mut self.addresses, value);
            return true;
        }
        self.has_host |= is(b"x-forwarded-host");
        false
    }
}

/// What is said of the client, behind what was said before.
fn add_forwarding(
    out: &mut Vec<u8>,
    client: &Client,
    request: &Request,
    belief: Belief,
    mut said: Said,
    host: &[u8],
) {
    let ends = client.ends();
    let proto: &[u8] = if ends.is_tls { b"https" } else { b"http" };
    // Who reads the one field reads the same as who reads the other.
    let proto_said = forwarded::scheme(&said.forwarded).map_or(proto, |scheme| scheme.as_str().as_bytes());
    if belief < Belief::All {
        said.forwarded.clear();
    } else if said.addresses.is_empty() && !said.forwarded.is_empty() {
        said.addresses = forwarded::addresses(&said.forwarded);
    }
    if let Endpoint::Inet(address, _) = &ends.peer {
        join(&mut said.addresses, address.to_string().as_bytes());
    }
    if !said.forwarded.is_empty() {
        let node = match &ends.peer {
            Endpoint::Inet(address, _) if address.is_ipv6() => format!("\"[{address}]\""),
            Endpoint::Inet(address, _) => address.to_string(),
            Endpoint::Unix(_) => "unknown".to_owned(),
        };
        join(&mut said.forwarded, format!("for={node};proto={}", String::from_utf8_lossy(proto)).as_bytes());
        line(out, b"Forwarded", &said.forwarded);
    }
    if !said.addresses.is_empty() {
        line(out, b"X-Forwarded-For", &said.addresses);
    }
    if !said.has_proto {
        line(out, b"X-Forwarded-Proto", proto_said);
    }
    if !said.has_host {
        line(out, b"X-Forwarded-Host", host);
    }
    if !said.has_start {
        line(out, b"X-Request-Start", start(request).as_bytes());
    }
    let version: &[u8] = match (&client.stream, request.is_http10()) {
        (Stream::Http2(_), _) => b"2.0 tapster",
        (_, true) => b"1.0 tapster",
        (_, false) => b"1.1 tapster",
    };
    join(&mut said.via, version);
    line(out, b"Via", &said.via);
}

/// When the request came, in seconds, by which the upstream sees how long it waited. In the form that nginx's `t=${msec}` has.
fn start(request: &Request) -> String {
    let start = SystemTime::now().checked_sub(request.since.elapsed()).unwrap_or(UNIX_EPOCH);
    let since = start.duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("t={}.{:03}", since.as_secs(), since.subsec_millis())
}

/// In origin-form, whatever the client used; without a fragment.
fn request_line(out: &mut Vec<u8>, request: &Request, stripped: Option<&Stripped>) {
    let Request { bytes, head, .. } = request;
    out.extend_from_slice(request.method());
    out.push(b' ');
    let start = if stripped.is_some() { head.parts.path.end } else { head.parts.path.start };
    let target = bytes.get(start..head.target.end).unwrap_or_default();
    let target = target.split(|&byte| byte == b'#').next().unwrap_or_default();
    match stripped {
        Some(stripped) => out.extend_from_slice(&stripped.path),
        None if head.parts.form != Form::Asterisk && !target.starts_with(b"/") => out.push(b'/'),
        None => {}
    }
    out.extend_from_slice(target);
    out.extend_from_slice(b" HTTP/1.1\r\n");
}

/// The client's own (RFC 9112 §3.2.2); clients of HTTP/1.0 may have none. Gives its value.
fn host(out: &mut Vec<u8>, request: &Request) -> Vec<u8> {
    let host = match request.head.parts.form {
        Form::Absolute => Some(request.head.parts.authority.of(&request.bytes)),
        Form::Origin | Form::Asterisk => request.field("host"),
    };
    let host = host.unwrap_or(b"localhost").to_vec();
    line(out, b"Host", &host);
    host
}

/// What a worker refuses, the front does too.
fn check(request: &Request) -> Result<(), Refused> {
    if values(request, b"content-type").nth(1).is_some() {
        return Err(refuse(Refusal::ContentTypeRepeated, request));
    }
    let path = request.head.parts.path.of(&request.bytes);
    let decoded = if path.contains(&b'%') { percent::decode(path, &mut Vec::new()) } else { Ok(()) };
    decoded.map_err(|error| {
        let refusal = match error {
            percent::Error::Escape => Refusal::PathEscape,
            percent::Error::Nul => Refusal::PathNul,
        };
        refuse(refusal, request)
    })
}

fn refuse(refusal: Refusal, request: &Request) -> Refused {
    Refused::new(refusal.status(), refusal).for_head(request.is_head())
}

/// The values of a field.
fn values<'r>(request: &'r Request, name: &'static [u8]) -> impl Iterator<Item = &'r [u8]> {
    let named = move |field: &&tapster_http1::Field| field.name.of(&request.bytes).eq_ignore_ascii_case(name);
    request.head.fields.iter().filter(named).map(|field| field.value.of(&request.bytes))
}

fn line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn join(list: &mut Vec<u8>, value: &[u8]) {
    if !list.is_empty() {
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(value);
}
