//! A worker's record of a request as a span of kind SERVER, by the stable semantic conventions for HTTP.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use tapster_observe::{Method, SpanRecord};

use crate::values::{integer, number, resource, scope, text};

/// Flags of a span (`SpanFlags`): sampled; whether its parent is in another process is known; it is.
const SAMPLED: u32 = 1;
const REMOTE_IS_KNOWN: u32 = 0x100;
const REMOTE: u32 = 0x200;

/// The span of a request that this thread of this worker answered; both count from 0.
pub(crate) fn span(worker: usize, thread: usize, record: SpanRecord<Vec<u8>>) -> Span {
    let words = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let texts = record.texts;
    let method = words(texts.method);
    let is_known = !matches!(Method::of(method.as_bytes()), Method::Other | Method::Unknown);
    let status = i64::from(record.status);
    let mut attributes = vec![
        text("http.request.method", if is_known { method.as_str() } else { "_OTHER" }),
        text("url.path", words(texts.path)),
        text("url.scheme", if record.is_tls { "https" } else { "http" }),
        integer("http.response.status_code", status),
        number("tapster.queue_time", record.queued as f64 / 1e9),
        integer("tapster.worker", worker as i64 + 1),
        integer("tapster.thread", thread as i64 + 1),
    ];
    if !is_known {
        attributes.push(text("http.request.method_original", method.as_str()));
    }
    let (host, port) = place(&words(texts.host));
    attributes.extend(port.map(|port| integer("server.port", port)));
    let said = [
        ("server.address", host),
        ("client.address", words(texts.client)),
        ("user_agent.original", words(texts.user_agent)),
        ("tapster.request_id", words(texts.request_id)),
        ("network.protocol.version", words(texts.protocol).trim_start_matches("HTTP/").to_owned()),
    ];
    attributes.extend(
        said.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| text(name, value)),
    );
    let is_error = status >= 500;
    if is_error {
        attributes.push(text("error.type", status.to_string()));
    }
    let has_parent = record.parent != [0; 8];
    Span {
        trace_id: record.trace.to_vec(),
        span_id: record.span.to_vec(),
        parent_span_id: if has_parent { record.parent.to_vec() } else { Vec::new() },
        flags: SAMPLED | REMOTE_IS_KNOWN | if has_parent { REMOTE } else { 0 },
        // No route is known here, and a name must not have a path in it.
        name: if is_known { method } else { "HTTP".to_owned() },
        kind: SpanKind::Server.into(),
        start_time_unix_nano: record.began,
        end_time_unix_nano: record.ended.max(record.began),
        attributes,
        status: is_error.then(|| Status { code: StatusCode::Error.into(), ..Status::default() }),
        ..Span::default()
    }
}

/// What `Host` says: a name or address, and perhaps a port.
fn place(host: &str) -> (String, Option<i64>) {
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) && (!name.contains(':') || name.ends_with(']')) => {
            (bare(name).to_owned(), port.parse().ok())
        }
        _ => (bare(host).to_owned(), None),
    }
}

fn bare(name: &str) -> &str {
    name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name)
}

/// What is sent.
pub(crate) fn request(pairs: &[(String, String)], spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope_spans = ScopeSpans { scope: Some(scope()), spans, ..ScopeSpans::default() };
    let resource_spans = ResourceSpans {
        resource: Some(resource(pairs)),
        scope_spans: vec![scope_spans],
        ..ResourceSpans::default()
    };
    ExportTraceServiceRequest { resource_spans: vec![resource_spans] }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tapster_observe::Texts;

    use super::*;

    #[test]
    fn hosts_are_taken_apart() {
        for (host, name, port) in [
            ("a.example", "a.example", None),
            ("a.example:8000", "a.example", Some(8000)),
            ("[::1]:80", "::1", Some(80)),
            ("[::1]", "::1", None),
            ("::1", "::1", None),
            ("", "", None),
        ] {
            assert_eq!(place(host), (name.to_owned(), port), "{host}");
        }
    }

    #[test]
    fn a_failure_is_one_and_an_unknown_method_is_not_a_name() {
        let texts = Texts { method: b"BREW".to_vec(), ..Texts::default() };
        let made = span(0, 1, SpanRecord { status: 503, texts, parent: [1; 8], ..SpanRecord::default() });
        assert_eq!((made.name.as_str(), made.flags), ("HTTP", 0x301));
        assert_eq!(made.status.map(|status| status.code), Some(2));
        let names: Vec<_> = made.attributes.iter().map(|one| one.key.as_str()).collect();
        assert!(names.contains(&"error.type") && names.contains(&"http.request.method_original"));
    }

    proptest! {
        #[test]
        fn whatever_a_client_says_is_a_span(host in prop::collection::vec(any::<u8>(), 0..70), method in "[A-Z]{0,9}") {
            let texts = Texts { host, method: method.into_bytes(), ..Texts::default() };
            let made = span(0, 0, SpanRecord { texts, ..SpanRecord::default() });
            prop_assert!(!made.name.is_empty());
        }
    }
}
