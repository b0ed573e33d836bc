//! Which of several answers to one target a request gets (RFC 9111 §4.1): by the fields that Vary names, as the request has them.

use tapster_http1::syntax;

use crate::files::{Coding, weight};
use crate::receive::Request;
use crate::reply::Head;

/// A field that selects, in small letters, and its value; none where the request had no such field.
type Member = (Box<str>, Option<Box<[u8]>>);

/// The fields that an answer names in Vary, with the values of the request that it was made for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Vary(Vec<Member>);

impl Vary {
    /// None if the answer suits no other request.
    pub(crate) fn new(head: &Head, request: &Request) -> Option<Vary> {
        let mut names: Vec<Box<str>> = Vec::new();
        for name in head.values(b"vary").flat_map(syntax::list).filter(|name| !name.is_empty()) {
            if name == b"*" || !syntax::is_token(name) {
                return None;
            }
            names.push(String::from_utf8_lossy(name).to_ascii_lowercase().into());
        }
        names.sort_unstable();
        names.dedup();
        Some(Vary(names.into_iter().map(|name| (value(request, &name), name)).map(|(v, n)| (n, v)).collect()))
    }

    /// Whether a request selects this answer.
    pub(crate) fn suits(&self, request: &Request) -> bool {
        self.0.iter().all(|(name, known)| value(request, name) == *known)
    }

    /// Appends what a request has of the fields that select here.
    pub(crate) fn key(&self, request: &Request, out: &mut Vec<u8>) {
        for (name, _) in &self.0 {
            out.push(b'\n');
            if let Some(value) = value(request, name) {
                out.push(b'=');
                out.extend_from_slice(&value);
            }
        }
    }
}

/// A field of a request in one form: its lines joined, and Accept-Encoding as the codings that it stands for.
fn value(request: &Request, name: &str) -> Option<Box<[u8]>> {
    if name == "accept-encoding" {
        return Some(codings(request).into_bytes().into());
    }
    let named =
        |field: &&tapster_http1::Field| field.name.of(&request.bytes).eq_ignore_ascii_case(name.as_bytes());
    let mut values = request.head.fields.iter().filter(named).map(|field| field.value.of(&request.bytes));
    let mut joined = values.next()?.to_vec();
    for value in values {
        joined.extend_from_slice(b", ");
        joined.extend_from_slice(value);
    }
    Some(joined.into())
}

/// The codings that a request accepts, of those that answers have: what an application is told in the place of what every browser
/// spells its own way.
pub(crate) fn codings(request: &Request) -> String {
    let accepts = |coding: &Coding| {
        weight(request.values("accept-encoding"), coding.name().as_bytes()).is_some_and(|weight| weight > 0)
    };
    let names: Vec<_> = Coding::ALL.into_iter().filter(accepts).map(Coding::name).collect();
    names.join(", ")
}
