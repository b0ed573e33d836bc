//! The request target: its form and its parts (RFC 9112 §3.2). No decoding happens here.

use crate::{Refusal, Span, host, syntax};

/// The form of a request target.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Form {
    /// A path and a query (RFC 9112 §3.2.1).
    #[default]
    Origin,
    /// A whole `http` or `https` URI, whose authority overrides Host (RFC 9112 §3.2.2).
    Absolute,
    /// `*`, with OPTIONS alone (RFC 9112 §3.2.4).
    Asterisk,
}

/// The parts of a request target, as spans of the buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Target {
    /// The form.
    pub form: Form,
    /// The path, still encoded. Empty only in absolute-form; `*` in asterisk-form.
    pub path: Span,
    /// What follows the first `?`, up to a fragment; empty if there is none.
    pub query: Span,
    /// `host[:port]` in absolute-form, empty in others.
    pub authority: Span,
}

/// Finds the parts of the target at `span` of `buffer`.
///
/// A fragment, which no client should send, is left out of path and query.
pub(crate) fn parse(method: &[u8], span: Span, buffer: &[u8]) -> Result<Target, Refusal> {
    let target = span.of(buffer);
    if method == b"CONNECT" {
        return Err(Refusal::Connect);
    }
    if !syntax::is_visible(target) {
        return Err(Refusal::Target);
    }
    match target {
        [b'/', ..] => Ok(split(Form::Origin, span.start, span.start, span.end, buffer)),
        b"*" if method == b"OPTIONS" => Ok(Target { form: Form::Asterisk, path: span, ..Target::default() }),
        _ => absolute(span, target, buffer),
    }
}

fn absolute(span: Span, target: &[u8], buffer: &[u8]) -> Result<Target, Refusal> {
    let scheme = [&b"http://"[..], b"https://"]
        .into_iter()
        .find(|scheme| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
        .ok_or(Refusal::TargetForm)?;
    let rest = target.get(scheme.len()..).unwrap_or_default();
    let length = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    if !rest.get(..length).is_some_and(host::is_valid) {
        return Err(Refusal::Authority);
    }
    let authority = span.start + scheme.len();
    Ok(split(Form::Absolute, authority, authority + length, span.end, buffer))
}

/// Splits `buffer[path..end]` at the first `?` and the first `#`.
fn split(form: Form, authority: usize, path: usize, end: usize, buffer: &[u8]) -> Target {
    let text = buffer.get(path..end).unwrap_or_default();
    let mark = memchr::memchr2(b'?', b'#', text);
    let path_end = mark.map_or(end, |mark| path + mark);
    let (query, end) = match mark.and_then(|mark| text.get(mark..)) {
        Some([b'?', query @ ..]) => {
            (path_end + 1, memchr::memchr(b'#', query).map_or(end, |length| path_end + 1 + length))
        }
        _ => (path_end, path_end),
    };
    Target {
        form,
        path: Span { start: path, end: path_end },
        query: Span { start: query, end },
        authority: Span { start: authority, end: path },
    }
}
