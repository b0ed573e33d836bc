//! A line of the access log as a JSON object (RFC 8259): numbers are numbers, times are seconds, what is not known is null.

use super::AccessEvent;
use super::program::{Place, number, seconds};
use crate::escape;
use crate::timestamp::Timestamp;

/// The most bytes of the texts, escapes counted: together with all else they are one line.
const TARGET: usize = 1536;
const LONG: usize = 384;
const SHORT: usize = 96;
/// The most bytes of all that the application says.
const VARIABLES: usize = 896;

/// Appends the object.
pub(super) fn write(out: &mut Vec<u8>, event: &AccessEvent<'_>, place: Place<'_>) {
    out.extend_from_slice(b"{\"time\":\"");
    Timestamp::of(event.ended).write_iso(out);
    out.push(b'"');
    text(out, "client", Some(event.peer), SHORT);
    text(out, "method", Some(event.method), SHORT);
    text(out, "target", Some(event.target), TARGET);
    text(out, "protocol", Some(event.protocol), SHORT);
    count(out, "status", Some(event.status.into()));
    count(out, "bytes", Some(event.bytes));
    key(out, "duration");
    seconds(out, event.duration);
    key(out, "queued");
    seconds(out, event.queued);
    key(out, "application");
    match event.application {
        Some(time) => seconds(out, time),
        None => out.extend_from_slice(b"null"),
    }
    count(out, "worker", place.worker.map(|worker| worker as u64));
    count(out, "thread", event.thread.map(|thread| thread as u64));
    count(out, "pid", Some(place.pid.into()));
    text(out, "request_id", event.request_id, LONG);
    text(out, "referer", event.referer, LONG);
    text(out, "user_agent", event.user_agent, LONG);
    variables(out, event.details.log_variables());
    out.push(b'}');
}

/// What does not fit is left out.
fn variables(out: &mut Vec<u8>, said: &[(String, Vec<u8>)]) {
    if said.is_empty() {
        return;
    }
    key(out, "variables");
    let start = out.len();
    for (name, value) in said {
        let before = out.len();
        out.push(if before == start { b'{' } else { b',' });
        string(out, name.as_bytes(), SHORT);
        out.push(b':');
        string(out, value, LONG);
        if out.len() - start > VARIABLES {
            out.truncate(before);
            break;
        }
    }
    out.push(b'}');
}

fn key(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn text(out: &mut Vec<u8>, name: &str, value: Option<&[u8]>, limit: usize) {
    key(out, name);
    match value {
        None | Some([]) => out.extend_from_slice(b"null"),
        Some(value) => string(out, value, limit),
    }
}

fn count(out: &mut Vec<u8>, name: &str, value: Option<u64>) {
    key(out, name);
    match value {
        Some(value) => number(out, value),
        None => out.extend_from_slice(b"null"),
    }
}

fn string(out: &mut Vec<u8>, value: &[u8], limit: usize) {
    out.push(b'"');
    escape::json(out, value, limit);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::format::tests::event;
    use super::super::{AccessFormat, Details};
    use super::*;

    fn object(event: &AccessEvent<'_>, worker: Option<usize>) -> Value {
        let mut out = Vec::new();
        let format = AccessFormat::parse("json").unwrap();
        format.write(&mut out, event, Place { pid: 42, worker, board: None });
        serde_json::from_slice(&out).unwrap()
    }

    struct Said(Vec<(String, Vec<u8>)>);

    impl Details for Said {
        fn log_variables(&self) -> &[(String, Vec<u8>)] {
            &self.0
        }
    }

    #[test]
    fn numbers_are_numbers_and_what_is_not_known_is_null() {
        let shown = object(&event(b"/\xc3\xa9\"\\\x01\xff", Some(b"curl")), Some(2));
        assert_eq!(shown["status"], 200);
        assert_eq!(shown["duration"], 0.000812);
        assert_eq!(shown["queued"], 0.000012);
        assert_eq!(shown["application"], 0.0008);
        assert_eq!((&shown["worker"], &shown["thread"], &shown["pid"]), (&2.into(), &3.into(), &42.into()));
        assert_eq!(shown["target"], "/é\"\\\u{1}\\xff");
        assert_eq!(shown["referer"], Value::Null);
        assert_eq!(shown["user_agent"], "curl");
        assert!(shown["time"].as_str().unwrap().ends_with('Z'));
        assert!(shown.get("variables").is_none());
    }

    proptest! {
        #[test]
        fn whatever_is_said_it_is_an_object_in_one_line(
            bytes in prop::collection::vec(any::<u8>(), 0..3000),
            said in prop::collection::vec((".{0,200}", prop::collection::vec(any::<u8>(), 0..600)), 0..5),
        ) {
            let (said, bytes) = (Said(said), bytes.as_slice());
            let mut event = AccessEvent { details: &said, ..event(bytes, Some(bytes)) };
            (event.referer, event.request_id, event.peer) = (Some(bytes), Some(bytes), bytes);
            prop_assert!(object(&event, None)["worker"].is_null());
        }
    }
}
