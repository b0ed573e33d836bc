//! A message of the log as a JSON object (RFC 8259) on one line: `--log-format json`. What is not known is left out.

use std::fmt::{self, Write};
use std::time::SystemTime;

use crate::entry::Line;
use crate::escape;
use crate::timestamp::Timestamp;

/// Appends the object, without the newline behind it.
pub(crate) fn write(out: &mut Vec<u8>, line: &Line<'_>, id: &[u8]) {
    out.extend_from_slice(b"{\"time\":\"");
    Timestamp::of(SystemTime::now()).write_iso(out);
    out.push(b'"');
    string(out, "level", line.kind.level().as_str().as_bytes());
    shown(out, "pid", format_args!("{}", std::process::id()));
    if let Some(worker) = line.worker {
        shown(out, "worker", format_args!("{worker}"));
    }
    if let Some(thread) = line.thread {
        shown(out, "thread", format_args!("{thread}"));
    }
    if let Some(incident) = line.kind.incident() {
        shown(out, "id", format_args!("\"{incident}\""));
    }
    key(out, "message");
    out.push(b'"');
    let _infallible = Text(out).write_fmt(line.message);
    out.push(b'"');
    if line.repeated > 0 {
        shown(out, "repeated", format_args!("{}", line.repeated));
    }
    if !id.is_empty() {
        string(out, "request_id", id);
    }
    if let Some((method, path)) = line.request {
        string(out, "method", method);
        string(out, "path", path);
    }
    let (name, text) = line.below;
    if !text.is_empty() {
        string(out, name, text);
    }
    out.push(b'}');
}

fn key(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn string(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    key(out, name);
    out.push(b'"');
    escape::json(out, value, usize::MAX / 2);
    out.push(b'"');
}

/// A value that needs no escapes.
fn shown(out: &mut Vec<u8>, name: &str, value: fmt::Arguments<'_>) {
    key(out, name);
    let _infallible = std::io::Write::write_fmt(out, value);
}

/// Formatted text between quotes.
struct Text<'a>(&'a mut Vec<u8>);

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escape::json(self.0, text.as_bytes(), usize::MAX / 2);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Kind;
    use crate::{Incident, Level};

    fn written(line: &Line<'_>, id: &[u8]) -> serde_json::Value {
        let mut out = Vec::new();
        write(&mut out, line, id);
        assert!(!out.contains(&b'\n'), "one line");
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn what_is_known_is_there() {
        let line = Line {
            kind: Kind::Incident(Incident::APPLICATION_FAILED),
            message: format_args!("GET /\"x\" failed\n{}", "\u{1b}"),
            worker: Some(2),
            thread: Some(3),
            request: Some((b"GET", b"/\xff")),
            below: ("traceback", b"Traceback:\n  line\n"),
            repeated: 0,
        };
        let mut object = written(&line, b"that-one");
        let time = object.as_object_mut().unwrap().remove("time").unwrap();
        assert_eq!((time.as_str().unwrap().len(), &time.as_str().unwrap()[23..]), (24, "Z"));
        let expected = serde_json::json!({
            "level": "error", "pid": std::process::id(), "worker": 2, "thread": 3, "id": "TAP0301",
            "message": "GET /\"x\" failed\n\u{1b}", "request_id": "that-one", "method": "GET", "path": "/\\xff",
            "traceback": "Traceback:\n  line\n",
        });
        assert_eq!(object, expected);
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let line = Line::new(Kind::Info, format_args!("ready"));
        let object = written(&line, b"");
        let mut keys: Vec<&String> = object.as_object().unwrap().keys().collect();
        keys.sort();
        assert_eq!(keys, ["level", "message", "pid", "time"]);
        assert_eq!(object["level"], Level::Info.as_str());
    }
}
