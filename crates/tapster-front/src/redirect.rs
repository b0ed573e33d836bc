//! Plain HTTP where a site is served by HTTPS: each request is sent on to the same place there, and after that, where
//! `--hsts` is given, browsers go there by themselves (RFC 6797).

use std::net::IpAddr;

use tapster_config::Redirect;
use tapster_gateway::Endpoint;
use tapster_http1::Form;
use tapster_http1::encode::{self, BodyField, Connection, ServerFields};

use crate::client::Client;
use crate::connection::After;
use crate::front::Front;
use crate::pace::Pace;
use crate::receive::Request;
use crate::refuse::Refused;
use crate::respond::respond;
use crate::route::without_port;
use crate::variables::{fill, uri};
use crate::write::write;
use crate::{access, body, overrides, request_id};

/// Sends a request on to HTTPS.
pub(crate) async fn answer(front: &Front, client: &mut Client, request: &Request) -> After {
    let Some(target) = target(client, request, front.policy.https_port) else {
        let reason = "a request that names no host cannot be sent on to HTTPS";
        return After::Refused(Refused::new(400, reason).for_head(request.is_head()));
    };
    let stays = body::discard(front, client, request).await;
    let keep = stays && request.framing.keep_alive && front.policy.keeps_alive() && !front.drain.has_begun();
    // At 301 old clients make a GET of a POST, and only new ones know 308.
    let (status, line) = match request.method() {
        b"GET" | b"HEAD" => (301, "301 Moved Permanently\r\nLocation: "),
        _ => (308, "308 Permanent Redirect\r\nLocation: "),
    };
    let text = [line.as_bytes(), &target, b"\r\n"].concat();
    let date = front.date();
    let mut lines = Vec::new();
    request_id::write(&mut lines, front, client, request);
    let fields = ServerFields {
        date: Some(&date),
        server: front.policy.server_header,
        body: BodyField::Length(0),
        connection: match (keep, request.is_http10()) {
            (true, false) => Connection::Default,
            (true, true) => Connection::KeepAlive,
            (false, _) => Connection::Close,
        },
        lines: &lines,
    };
    let mut out = Vec::new();
    encode::response_head(&mut out, &text, &fields);
    overrides::amend(front, client, Some(request), &mut out);
    access::keep_head(front, client, &out);
    let sent = write(&client.stream, &mut Pace::default(), &front.policy.pace, &out, &[]).await;
    access::note(front, client, request, status, 0);
    match (sent, keep) {
        (Ok(()), true) => After::Next,
        (Ok(()), false) => After::Linger,
        (Err(_), _) => After::Close,
    }
}

/// Sends a request on to where its route says.
pub(crate) async fn to(front: &Front, client: &mut Client, request: &Request, redirect: &Redirect) -> After {
    let mut target = fill(&redirect.to, front, client, request);
    if redirect.to_https && front.policy.https_port != 443 {
        target.extend_from_slice(format!(":{}", front.policy.https_port).as_bytes());
    }
    if redirect.keeps_path {
        target.extend_from_slice(uri(request));
    }
    let status = redirect.code.unwrap_or(match request.method() {
        b"GET" | b"HEAD" => 301,
        _ => 308,
    });
    let fields = [b"Location: ".as_slice(), &target, b"\r\n"].concat();
    respond(front, client, request, status, &fields, "").await
}

/// Where the same is by HTTPS.
fn target(client: &Client, request: &Request, port: u16) -> Option<Vec<u8>> {
    let (head, bytes) = (&request.head, &request.bytes);
    let mut target = b"https://".to_vec();
    match (head.parts.authority.of(bytes), request.field("host"), client.local()) {
        ([_, ..], _, _) => target.extend_from_slice(without_port(head.parts.authority.of(bytes))),
        (_, Some(host @ [_, ..]), _) => target.extend_from_slice(without_port(host)),
        // HTTP/1.0 need not name one.
        (_, _, Endpoint::Inet(IpAddr::V4(ip), _)) => target.extend_from_slice(ip.to_string().as_bytes()),
        _ => return None,
    }
    if port != 443 {
        target.extend_from_slice(format!(":{port}").as_bytes());
    }
    if head.parts.form == Form::Asterisk {
        return Some(target);
    }
    target.extend_from_slice(head.parts.path.of(bytes));
    if head.parts.query.start > head.parts.path.end {
        target.push(b'?');
        target.extend_from_slice(head.parts.query.of(bytes));
    }
    Some(target)
}
