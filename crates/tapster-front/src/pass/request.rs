//! A request as its worker gets it: the client's own head, but for how the body is framed, and a word on who the client
//! is, which a client that is no proxy does not say itself.

use tapster_gateway::hop;
use tapster_http1::{encode, syntax};

use crate::client::Client;
use crate::front::Front;
use crate::policy::Belief;
use crate::receive::Request;
use crate::{forwarding, request_id};

/// The head. `body` is none for a request without one; its length is none where that is not known.
pub(crate) fn head(front: &Front, client: &Client, request: &Request, body: Option<Option<u64>>) -> Vec<u8> {
    let Request { bytes, head, .. } = request;
    let is_stranger = front.policy.belief(client.ends()) == Belief::Nothing;
    let mut out = Vec::with_capacity(head.length + client.said().len() + 64);
    out.extend_from_slice(head.method.of(bytes));
    out.push(b' ');
    out.extend_from_slice(head.target.of(bytes));
    out.push(b' ');
    out.extend_from_slice(head.version.as_str().as_bytes());
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(client.said());
    let fields = out.len();
    for field in &head.fields {
        let name = field.name.of(bytes);
        let is_replaced = is_replaced(name) || request_id::is_name(front, name);
        if !(is_replaced || is_stranger && forwarding::is_name(name)) {
            out.extend_from_slice(name);
            out.extend_from_slice(b": ");
            out.extend_from_slice(field.value.of(bytes));
            out.extend_from_slice(b"\r\n");
        }
    }
    request_id::write(&mut out, front, client, request);
    if let Some(overrides) = request.overrides.get() {
        overrides.change_request(front, client, request, &mut out, fields);
    }
    match body {
        None => {}
        Some(Some(length)) => {
            out.extend_from_slice(b"Content-Length: ");
            encode::decimal(&mut out, length);
            out.extend_from_slice(b"\r\n");
        }
        Some(None) => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// Appends a piece of the body.
pub(crate) fn piece(out: &mut Vec<u8>, data: &[u8], is_chunked: bool, is_last: bool) {
    if !is_chunked {
        return out.extend_from_slice(data);
    }
    if !data.is_empty() {
        encode::chunk_header(out, data.len());
        out.extend_from_slice(data);
        out.extend_from_slice(encode::CHUNK_END);
    }
    if is_last {
        out.extend_from_slice(encode::LAST_CHUNK);
    }
}

/// Whether a field of the client's does not reach the worker as it is: the body is framed anew, the client was told to go
/// on where it waited for that, and who it is says nobody but the front.
fn is_replaced(name: &[u8]) -> bool {
    match name.len() {
        6 => syntax::is_lower_case_of(b"expect", name),
        14 => syntax::is_lower_case_of(b"content-length", name) || hop::is_name(name),
        17 => syntax::is_lower_case_of(b"transfer-encoding", name),
        _ => false,
    }
}
