//! Clients that speak uwsgi, nginx above all. A packet becomes the head that an HTTP/1.0 client would have sent, so that all
//! handlers know of one protocol: no answer to it has chunks, and its connection ends with it. Workers, who speak uwsgi
//! themselves, get the packet as it came.

use std::cell::OnceCell;
use std::time::Instant;

use tapster_gateway::{Connection, Endpoint, RequestIdField, Scheme, Variable, Vars, from_uwsgi, percent};
use tapster_http1::{Head, Limits, framing, syntax};
use tapster_uwsgi::{Decoded, PONG, Packet};

use crate::client::Client;
use crate::front::Front;
use crate::pace::Pace;
use crate::receive::Request;
use crate::refuse::Refused;
use crate::write::write;

/// Fields of the peer's own client's connection, which ends at the peer (RFC 9110 §7.6.1), and those that have variables of
/// their own.
const LEFT_OUT: &[&[u8]] = &[
    b"connection",
    b"content-length",
    b"content-type",
    b"expect",
    b"keep-alive",
    b"proxy-connection",
    b"te",
    b"transfer-encoding",
    b"upgrade",
];

/// What came is bounded by what a packet can hold.
const LIMITS: Limits = Limits { request_line: usize::MAX, head: usize::MAX, fields: usize::MAX };

/// A packet as its worker gets it.
pub(crate) struct Verbatim(pub(crate) Vec<u8>);

/// What a connection brought.
pub(crate) enum Taken {
    /// Not all of a packet.
    Nothing,
    Ping,
    Request(Box<Request>),
}

/// Takes the packet that the connection begins with. The client is then the one that the peer speaks for.
///
/// # Errors
/// 403 for a peer that may not speak for others; else what a worker would refuse.
pub(crate) fn take(front: &Front, client: &mut Client) -> Result<Taken, Refused> {
    if !front.policy.may_speak_uwsgi(client.ends()) {
        let reason = "uwsgi from a peer that is not allowed (--uwsgi-allow-from lists the others)";
        return Err(Refused::new(403, reason));
    }
    let refuse = |refusal: tapster_uwsgi::Refusal| Refused::new(refusal.status(), refusal);
    let packet = match tapster_uwsgi::decode(&client.input, &tapster_uwsgi::Limits::default()) {
        Ok(Decoded::NeedMore(_)) => return Ok(Taken::Nothing),
        Ok(Decoded::Packet(packet)) if packet.is_ping() => return Ok(Taken::Ping),
        Ok(Decoded::Packet(packet)) => packet,
        Err(refusal) => return Err(refuse(refusal)),
    };
    let ends = client.ends();
    let connection = Connection::new(ends.local.clone(), ends.peer.clone());
    let mut vars = Vars::default();
    from_uwsgi::fill(&mut vars, &packet, &connection).map_err(refuse)?;
    let field = front.policy.request_id.as_ref();
    if let Some(field) = field {
        let mut ids = front.ids.get();
        field.set(&mut vars, true, &mut ids);
        front.ids.set(ids);
    }
    let whole = complete(&packet, &vars, field, &client.input);
    let request = request(&vars, whole)?;
    if let Some(id) = vars.get(Variable::TapsterRequestId).filter(|_| field.is_some()) {
        let _unset = request.id.set(String::from_utf8_lossy(id).into_owned());
    }
    let length = packet.length;
    let peer = peer(&vars).map(|peer| (client.local().clone(), peer));
    client.input.drain(..length);
    let scheme = match front.policy.uwsgi_forwarded_scheme {
        true => from_uwsgi::forwarded_scheme(&vars),
        false => from_uwsgi::scheme(&vars),
    };
    client.introduced(peer, scheme == Scheme::Https);
    Ok(Taken::Request(Box::new(request)))
}

/// Answers a ping.
pub(crate) async fn pong(front: &Front, mut client: Client) {
    client.input.clear();
    if write(&client.stream, &mut Pace::default(), &front.policy.pace, &PONG, &[]).await.is_ok() {
        client.linger().await;
    }
}

/// The packet with what it does not say of its connection, which the worker cannot see, and the request's name in its `field`.
fn complete(packet: &Packet<'_>, vars: &Vars, field: Option<&RequestIdField>, input: &[u8]) -> Vec<u8> {
    const OURS: [Variable; 4] =
        [Variable::ServerName, Variable::ServerPort, Variable::RemoteAddr, Variable::RemotePort];
    let is_missing = |variable: &Variable| {
        let said = packet.vars().find(|(name, _)| *name == variable.name().as_bytes());
        said.map(|(_, value)| value) != vars.get(*variable)
    };
    let missing = OURS.into_iter().filter(is_missing);
    let missing: Vec<_> =
        missing.filter_map(|variable| Some((variable.name().as_bytes(), vars.get(variable)?))).collect();
    let mut whole = Vec::with_capacity(packet.length + 256);
    let name = field.map(|field| field.variable().as_bytes());
    let named = name.and_then(|name| Some((name, vars.get(Variable::TapsterRequestId)?)));
    let others = packet.vars().filter(|(known, _)| Some(*known) != name);
    let variables = others.chain(missing.iter().copied()).chain(named);
    if missing.is_empty() && named.is_none()
        || tapster_uwsgi::encode(&mut whole, packet.modifier1, packet.modifier2, variables).is_err()
    {
        // As it came; also where it has no room for more.
        whole.extend_from_slice(input.get(..packet.length).unwrap_or_default());
    }
    whole
}

/// Who the peer says that the client is, if it is somebody with an address.
fn peer(vars: &Vars) -> Option<Endpoint> {
    let text = |variable| std::str::from_utf8(vars.get(variable)?).ok();
    let address: std::net::IpAddr = text(Variable::RemoteAddr)?.parse().ok()?;
    let port = text(Variable::RemotePort).and_then(|port| port.parse().ok()).unwrap_or_default();
    Some(Endpoint::Inet(address.to_canonical(), port))
}

fn request(vars: &Vars, packet: Vec<u8>) -> Result<Request, Refused> {
    let bytes = head(vars);
    let mut head = Head::default();
    let refused = |refusal: tapster_http1::Refusal| Refused::new(refusal.status(), refusal);
    head.parse(&bytes, &LIMITS).map_err(refused)?;
    let framing = framing(&head, &bytes).map_err(refused)?;
    Ok(Request {
        bytes,
        head,
        framing,
        since: Instant::now(),
        id: OnceCell::new(),
        overrides: OnceCell::new(),
        packet: Some(Box::new(Verbatim(packet))),
    })
}

/// The head in HTTP. Fields that HTTP cannot say are left out.
fn head(vars: &Vars) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    out.extend_from_slice(vars.get(Variable::RequestMethod).unwrap_or_default());
    out.push(b' ');
    target(&mut out, vars);
    out.extend_from_slice(b" HTTP/1.0\r\n");
    let mut field = |name: &[u8], value: &[u8]| {
        let is_sayable = value.iter().all(|&byte| byte == b'\t' || byte >= b' ' && byte != 0x7f);
        if syntax::is_token(name) && is_sayable {
            out.extend_from_slice(name);
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        }
    };
    for (name, value) in vars.iter() {
        let Some(name) = name.as_bytes().strip_prefix(b"HTTP_") else { continue };
        let name: Vec<u8> =
            name.iter().map(|&byte| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }).collect();
        if !LEFT_OUT.contains(&name.as_slice()) {
            field(&name, value);
        }
    }
    for (variable, name) in
        [(Variable::ContentType, &b"content-type"[..]), (Variable::ContentLength, b"content-length")]
    {
        if let Some(value) = vars.get(variable) {
            field(name, value);
        }
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// What the client asked for, unless the peer has changed the path or the query: then what they are now.
fn target(out: &mut Vec<u8>, vars: &Vars) {
    let get = |variable| vars.get(variable).unwrap_or_default();
    let path = [get(Variable::ScriptName), get(Variable::PathInfo)].concat();
    let (uri, query) = (get(Variable::RequestUri), get(Variable::QueryString));
    if is_same(uri, &path, query) {
        return out.extend_from_slice(uri);
    }
    if !path.starts_with(b"/") {
        out.push(b'/');
    }
    escape(out, &path, b"%?#");
    if !query.is_empty() {
        out.push(b'?');
        escape(out, query, b"#");
    }
}

fn is_same(uri: &[u8], path: &[u8], query: &[u8]) -> bool {
    let end = uri.iter().position(|&byte| byte == b'?');
    let (raw, rest) = uri.split_at(end.unwrap_or(uri.len()));
    let mut decoded = Vec::with_capacity(raw.len());
    uri.starts_with(b"/")
        && uri.iter().all(|&byte| matches!(byte, 0x21..=0x7e) && byte != b'#')
        && percent::decode(raw, &mut decoded).is_ok()
        && decoded == path
        && rest.get(1..).unwrap_or_default() == query
}

/// Nothing but visible bytes, and none of `special`.
fn escape(out: &mut Vec<u8>, text: &[u8], special: &[u8]) {
    for &byte in text {
        if matches!(byte, 0x21..=0x7e) && !special.contains(&byte) {
            out.push(byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(variables: &[(&str, &str)]) -> Vec<u8> {
        let mut packet = Vec::new();
        let variables = variables.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        tapster_uwsgi::encode(&mut packet, tapster_uwsgi::REQUEST, 0, variables).unwrap();
        packet
    }

    fn vars(packet: &[u8]) -> Option<Vars> {
        let Ok(Decoded::Packet(packet)) = tapster_uwsgi::decode(packet, &tapster_uwsgi::Limits::default())
        else {
            return None;
        };
        let unnamed = Endpoint::Unix(String::new());
        let mut vars = Vars::default();
        from_uwsgi::fill(&mut vars, &packet, &Connection::new(unnamed.clone(), unnamed)).ok()?;
        Some(vars)
    }

    fn written(variables: &[(&str, &str)]) -> String {
        String::from_utf8(head(&vars(&packet(variables)).unwrap())).unwrap()
    }

    #[test]
    fn what_nginx_sends_is_what_its_client_sent() {
        let head = written(&[
            ("QUERY_STRING", "c=d"),
            ("REQUEST_METHOD", "POST"),
            ("CONTENT_TYPE", "text/plain"),
            ("CONTENT_LENGTH", "4"),
            ("REQUEST_URI", "/a%20b%2Fc?c=d"),
            ("PATH_INFO", "/a b/c"),
            ("HTTP_HOST", "a.test"),
            ("HTTP_IF_NONE_MATCH", "\"x\""),
            ("HTTP_CONNECTION", "keep-alive"),
            ("HTTP_EXPECT", "100-continue"),
            ("HTTP_ODD", "a\r\nInjected: b"),
            ("HTTP_O DD", "a"),
        ]);
        let expected = "POST /a%20b%2Fc?c=d HTTP/1.0\r\nhost: a.test\r\nif-none-match: \"x\"\r\n\
                        content-type: text/plain\r\ncontent-length: 4\r\n\r\n";
        assert_eq!(head, expected);
    }

    #[test]
    fn a_path_that_was_changed_is_the_one_that_counts() {
        let line = |variables: &[(&str, &str)]| {
            let all = [&[("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/a?b")], variables].concat();
            written(&all).lines().next().unwrap().to_owned()
        };
        assert_eq!(line(&[("PATH_INFO", "/a")]), "GET /a?b HTTP/1.0");
        assert_eq!(line(&[("PATH_INFO", "/x y%"), ("QUERY_STRING", "")]), "GET /x%20y%25 HTTP/1.0");
        assert_eq!(line(&[("SCRIPT_NAME", "/app"), ("PATH_INFO", "/a")]), "GET /app/a?b HTTP/1.0");
        assert_eq!(line(&[("PATH_INFO", "")]), "GET /?b HTTP/1.0");
    }

    proptest! {
        /// Whatever the variables are: one head, whose path and method are theirs, and whose body is as long as they say.
        #[test]
        fn a_packet_is_one_request(
            path in "(?s)/.{0,20}",
            query in "(?s).{0,20}",
            name in "[A-Z_ :\r\n]{0,10}",
            value in "(?s).{0,20}",
            length in prop::option::of(any::<u64>()),
        ) {
            let (name, length) = (format!("HTTP_X{name}"), length.map_or(String::new(), |length| length.to_string()));
            let packet = packet(&[
                ("REQUEST_METHOD", "POST"),
                ("PATH_INFO", &path),
                ("QUERY_STRING", &query),
                ("CONTENT_LENGTH", &length),
                (&name, &value),
            ]);
            if let Some(vars) = vars(&packet) && let Ok(request) = request(&vars, packet) {
                prop_assert_eq!(request.method(), b"POST");
                let mut decoded = Vec::new();
                prop_assert!(percent::decode(request.head.parts.path.of(&request.bytes), &mut decoded).is_ok());
                prop_assert_eq!(decoded, path.as_bytes());
                prop_assert!(!request.framing.keep_alive);
                prop_assert_eq!(request.head.length, request.bytes.len());
                let expected = match length.parse() {
                    Ok(length) => tapster_http1::BodyLength::Length(length),
                    Err(_) => tapster_http1::BodyLength::None,
                };
                prop_assert_eq!(request.framing.body, expected);
            }
        }
    }
}
