//! Answers that are compressed on their way to clients that take them so: which, and what that changes of their heads
//! (RFC 9110 §8.4, §8.8.1, §12.5.3, §12.5.5).

mod encoder;
mod types;

use std::cell::Cell;
use std::rc::Rc;

use tapster_config::{COMPRESSED_TYPES, ContentCoding, Settings};
use tapster_http1::{ResponseBody, syntax};

use crate::connection;
use crate::files::{Coding, choose};
use crate::receive::Request;
use crate::reply::Head;
use encoder::Counted;
pub(crate) use encoder::{Encoder, PIECE};
use types::Types;

/// Answers that are being compressed at once; beyond it they go as they are. Each takes up to about 1 MiB.
const ENCODERS: usize = 256;

/// What says that nobody may change the body on its way, or of which bytes it is made.
const FIXED: &[&[u8]] =
    &[b"content-encoding", b"content-range", b"content-md5", b"digest", b"content-digest", b"repr-digest"];

/// What `--compress` and its companions ask for.
pub(crate) struct Compression {
    /// The codings in order of preference, with their levels.
    codings: Vec<(Coding, u32)>,
    types: Types,
    min: u64,
    exclude: Vec<String>,
    running: Rc<Cell<usize>>,
}

impl Compression {
    /// None where nothing is to be compressed.
    pub(crate) fn new(settings: &Settings) -> Option<Compression> {
        let wanted = &settings.compression;
        let coding = |(coding, level): &(ContentCoding, u32)| match coding {
            ContentCoding::Gzip => (Coding::Gzip, *level),
            ContentCoding::Brotli => (Coding::Brotli, *level),
            ContentCoding::Zstd => (Coding::Zstd, *level),
        };
        let codings: Vec<_> = wanted.codings.iter().map(coding).collect();
        (!codings.is_empty()).then(|| Compression {
            codings,
            types: match wanted.types.as_slice() {
                [] => Types::new(COMPRESSED_TYPES),
                types => Types::new(types),
            },
            min: wanted.min,
            exclude: wanted.exclude.clone(),
            running: Rc::default(),
        })
    }

    /// Changes the head of an answer that is to be compressed, and gives what does that; `body` is how its body is delimited, or
    /// would be if the request were GET. The head of an answer to HEAD becomes that of an answer to GET.
    pub(crate) fn begin(
        &self,
        request: &Request,
        head: &mut Head,
        body: &mut ResponseBody,
    ) -> Option<Encoder> {
        if head.status == 304 {
            unchanged(request, head);
            return None;
        }
        let length = match *body {
            ResponseBody::Length(length) => Some(length),
            ResponseBody::Chunked | ResponseBody::UntilClose => None,
        };
        if !self.is_eligible(request, head, length) {
            return None;
        }
        vary(head);
        let (coding, level) = self.choose(request)?;
        if is_cross_site(request) {
            return None;
        }
        let counted = Counted::new(&self.running, ENCODERS)?;
        let encoder = Encoder::new(coding, level, length, Some(counted)).ok()?;
        announce(head, coding);
        *body = ResponseBody::Chunked;
        (!request.is_head()).then_some(encoder)
    }

    /// Whether an answer would be compressed for a client that takes it so.
    pub(crate) fn is_eligible(&self, request: &Request, head: &Head, length: Option<u64>) -> bool {
        !matches!(head.status, 100..=199 | 204..=206)
            && length.is_none_or(|length| length >= self.min.max(1))
            && head.value(b"content-type").is_some_and(|value| self.types.have(value))
            && !FIXED.iter().any(|name| head.has(name))
            && !head.values(b"cache-control").any(forbids_change)
            && !request.values("cache-control").any(forbids_change)
            && !self.excludes(request)
    }

    /// The coding that a client gets, and its level.
    pub(crate) fn choose(&self, request: &Request) -> Option<(Coding, u32)> {
        let codings = self.codings.iter().map(|(coding, _)| *coding);
        let place = choose(request.values("accept-encoding"), codings)?;
        self.codings.get(place).copied()
    }

    fn excludes(&self, request: &Request) -> bool {
        if self.exclude.is_empty() {
            return false;
        }
        // What cannot be decoded is left as it is.
        connection::path(request)
            .is_none_or(|path| self.exclude.iter().any(|prefix| path.starts_with(prefix.as_bytes())))
    }
}

/// What the head of a compressed answer says.
pub(crate) fn announce(head: &mut Head, coding: Coding) {
    let etag = head.value(b"etag").map(weak);
    for name in [&b"content-length"[..], b"accept-ranges", b"etag"] {
        head.remove(name);
    }
    if let Some(etag) = etag {
        head.add(b"ETag", &etag);
    }
    head.add(b"Content-Encoding", coding.name().as_bytes());
}

/// Says that answers differ by Accept-Encoding.
pub(crate) fn vary(head: &mut Head) {
    let mut members: Vec<&[u8]> = head.values(b"vary").flat_map(syntax::list).collect();
    members.retain(|member| !member.is_empty());
    if members.iter().any(|member| *member == b"*" || member.eq_ignore_ascii_case(b"accept-encoding")) {
        return;
    }
    members.push(b"Accept-Encoding");
    let value = members.join(&b", "[..]);
    head.remove(b"vary");
    head.add(b"Vary", &value);
}

/// An entity tag that does not promise the same bytes.
fn weak(tag: &[u8]) -> Vec<u8> {
    if tag.starts_with(b"W/") { tag.to_vec() } else { [b"W/", tag].concat() }
}

/// The tag of an answer that the client has is the one that the client has.
fn unchanged(request: &Request, head: &mut Head) {
    let Some(tag) = head.value(b"etag").filter(|tag| !tag.starts_with(b"W/")).map(weak) else { return };
    if request.values("if-none-match").flat_map(syntax::list).any(|member| member == tag) {
        head.remove(b"etag");
        head.add(b"ETag", &tag);
    }
}

fn forbids_change(value: &[u8]) -> bool {
    syntax::list(value).any(|member| member.eq_ignore_ascii_case(b"no-transform"))
}

/// Whether another site made the browser send this with the user's cookies. Who may do that many times and see the sizes of
/// compressed answers learns what is in them (BREACH).
fn is_cross_site(request: &Request) -> bool {
    request.field("sec-fetch-site").is_some_and(|site| site.eq_ignore_ascii_case(b"cross-site"))
        && request.field("cookie").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(fields: &[(&str, &str)]) -> Head {
        let mut head = Head::new(200, b"200 OK", 0);
        for (name, value) in fields {
            head.add(name.as_bytes(), value.as_bytes());
        }
        head
    }

    #[test]
    fn vary_is_merged() {
        for (before, after) in [
            (&[][..], "200 OK\r\nVary: Accept-Encoding\r\n"),
            (
                &[("Vary", "Cookie"), ("vary", ",Origin")],
                "200 OK\r\nVary: Cookie, Origin, Accept-Encoding\r\n",
            ),
            (&[("Vary", "accept-encoding")], "200 OK\r\nVary: accept-encoding\r\n"),
            (&[("Vary", "*")], "200 OK\r\nVary: *\r\n"),
        ] {
            let mut head = head(before);
            vary(&mut head);
            assert_eq!(String::from_utf8_lossy(head.text()), after);
        }
    }

    #[test]
    fn a_compressed_answer_promises_no_bytes() {
        let fields = [("ETag", "\"a\""), ("Content-Length", "9"), ("Accept-Ranges", "bytes"), ("X", "y")];
        let mut head = head(&fields);
        announce(&mut head, Coding::Zstd);
        assert_eq!(
            String::from_utf8_lossy(head.text()),
            "200 OK\r\nX: y\r\nETag: W/\"a\"\r\nContent-Encoding: zstd\r\n"
        );
        assert_eq!(weak(b"W/\"a\""), b"W/\"a\"");
    }
}
