//! What the variables of the configuration stand for in a request.

use tapster_config::{RequestVariable, Template, TemplatePiece};
use tapster_gateway::Endpoint;
use tapster_http1::Form;

use crate::client::Client;
use crate::front::Front;
use crate::receive::Request;
use crate::{request_id, route};

/// A text with its variables filled in.
pub(crate) fn fill(template: &Template, front: &Front, client: &Client, request: &Request) -> Vec<u8> {
    let mut text = Vec::new();
    for piece in &template.0 {
        match piece {
            TemplatePiece::Text(part) => text.extend_from_slice(part.as_bytes()),
            TemplatePiece::Variable(variable) => add(&mut text, *variable, front, client, request),
        }
    }
    text
}

fn add(text: &mut Vec<u8>, variable: RequestVariable, front: &Front, client: &Client, request: &Request) {
    match variable {
        RequestVariable::Client => match front.policy.address(client.ends(), request) {
            Some(address) => text.extend_from_slice(address.to_string().as_bytes()),
            None => text.extend_from_slice(b"unix"),
        },
        RequestVariable::Scheme => {
            text.extend_from_slice(if client.ends().is_tls { b"https" } else { b"http" });
        }
        RequestVariable::Host => match route::host(request).as_ref() {
            // HTTP/1.0 need not name one.
            b"" => text.extend_from_slice(own_address(client).as_bytes()),
            host => text.extend_from_slice(host),
        },
        RequestVariable::Method => text.extend_from_slice(request.method()),
        RequestVariable::Path => text.extend_from_slice(path(request)),
        RequestVariable::Uri => text.extend_from_slice(uri(request)),
        RequestVariable::RequestId => {
            text.extend_from_slice(request_id::of(front, client, request).as_bytes());
        }
    }
}

fn own_address(client: &Client) -> String {
    match client.local() {
        Endpoint::Inet(address, _) if address.is_ipv6() => format!("[{address}]"),
        Endpoint::Inet(address, _) => address.to_string(),
        Endpoint::Unix(_) => "localhost".to_owned(),
    }
}

/// The path as the client sent it; empty where it asks for none.
fn path(request: &Request) -> &[u8] {
    let parts = &request.head.parts;
    if parts.form == Form::Asterisk { b"" } else { parts.path.of(&request.bytes) }
}

/// The path and the query as the client sent them, without a fragment.
pub(crate) fn uri(request: &Request) -> &[u8] {
    let parts = &request.head.parts;
    if parts.form == Form::Asterisk {
        return b"";
    }
    let end = if parts.query.start > parts.path.end { parts.query.end } else { parts.path.end };
    request.bytes.get(parts.path.start..end).unwrap_or_default()
}
