//! What names a request in every log on its way (`--request-id`). It is decided once, and workers and upstreams get it with
//! the request.

use tapster_gateway::request_id::is_acceptable;

use crate::client::Client;
use crate::front::Front;
use crate::policy::Belief;
use crate::receive::Request;

/// What is believed of clients where requests have no names of ours.
const USUAL: &str = "x-request-id";

/// The id of a request: what a proxy that is believed said, else one of 128 bits made for it. Where no names were asked for
/// any client may say one.
pub(crate) fn of<'r>(front: &Front, client: &Client, request: &'r Request) -> &'r str {
    request.id.get_or_init(|| {
        let field = front.policy.request_id.as_ref().map(|field| field.small_name());
        let name = field.and_then(|name| std::str::from_utf8(name).ok()).unwrap_or(USUAL);
        let is_believed = field.is_none()
            || request.packet.is_some()
            || front.policy.belief(client.ends()) > Belief::Nothing;
        let said = request.list(name).filter(|id| is_believed && is_acceptable(id));
        match said {
            Some(id) => String::from_utf8_lossy(&id).into_owned(),
            None => {
                let mut ids = front.ids.get();
                let id = ids.draw();
                front.ids.set(ids);
                String::from_utf8_lossy(&id).into_owned()
            }
        }
    })
}

/// The id of a request where requests have names.
pub(crate) fn named<'r>(front: &Front, client: &Client, request: &'r Request) -> Option<&'r str> {
    front.policy.request_id.as_ref().map(|_| of(front, client, request))
}

/// Whether a field of a request carries its id: it is passed on as it was decided, not as it came.
pub(crate) fn is_name(front: &Front, name: &[u8]) -> bool {
    let field = front.policy.request_id.as_ref();
    field.is_some_and(|field| field.name().eq_ignore_ascii_case(name))
}

/// Appends the line that names a request; nothing where requests have no names.
pub(crate) fn write(out: &mut Vec<u8>, front: &Front, client: &Client, request: &Request) {
    if let Some(field) = &front.policy.request_id {
        field.write(out, of(front, client, request).as_bytes());
    }
}
