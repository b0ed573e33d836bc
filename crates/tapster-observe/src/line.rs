//! Composes one record of the log: a line, or a block of lines that belong together. No line of text is longer than
//! [`MAX_LINE`]; what is longer goes on in an indented line, so nothing of a message is lost. An object is one line, however long.

use std::fmt::{self, Write};
use std::time::SystemTime;

use crate::entry::{Kind, Line};
use crate::escape::{self, Pieces};
use crate::repeats::{Repeated, WINDOW};
use crate::timestamp::Timestamp;
use crate::{Incident, about, object};

/// The longest line, its newline included: what POSIX and Linux write to a pipe in one piece, so that lines of several
/// processes never tear each other (PIPE_BUF).
pub(crate) const MAX_LINE: usize = 4096;

/// What a line that goes on from another begins with.
const CONTINUATION: &[u8] = b"    ";

/// How much stands before a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Style {
    /// `2026-11-22 07:30:00.123 +0000 [4242] [info] `
    Full,
    /// `07:30:00Z [4242] [info] `: a person at a terminal knows the day.
    Short,
    /// An object of JSON.
    Object,
}

/// What all lines of a log have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) style: Style,
    /// The number of this worker, from 1; none in other processes.
    pub(crate) worker: Option<usize>,
}

/// A record under construction.
#[derive(Default)]
pub(crate) struct Record {
    bytes: Vec<u8>,
    line_start: usize,
}

impl Record {
    /// Uses memory that was used before.
    pub(crate) fn reusing(mut bytes: Vec<u8>) -> Record {
        bytes.clear();
        Record { bytes, line_start: 0 }
    }

    /// The memory, for the next record.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The whole record, with the newline after its last line.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The notice that lines were lost, a whole record.
    pub(crate) fn dropped(layout: Layout, lines: u64) -> Vec<u8> {
        let message =
            format_args!("{lines} log lines were dropped: nobody read them in time, or the disk is full");
        let mut record = Record::default();
        record.compose(layout, Line::new(Kind::Incident(Incident::LINES_DROPPED), message));
        record.into_bytes()
    }

    /// Appends the line that tells of errors that were not logged.
    pub(crate) fn repeated(&mut self, layout: Layout, repeated: &Repeated) {
        let Some(incident) = repeated.incident() else { return };
        let (words, count, seconds) = (repeated.words(), repeated.suppressed, WINDOW.as_secs());
        let message = format_args!("{words} … repeated {count} times in {seconds} s (--log-repeats)");
        self.compose(layout, Line { repeated: count, ..Line::new(Kind::Incident(incident), message) });
    }

    /// Appends a line and what stands below it.
    pub(crate) fn compose(&mut self, layout: Layout, line: Line<'_>) {
        let line = Line { worker: layout.worker, ..line };
        if layout.style == Style::Object {
            let mut written = false;
            about::with_id(|id| {
                object::write(&mut self.bytes, &line, id);
                written = true;
            });
            if !written {
                object::write(&mut self.bytes, &line, b"");
            }
        } else {
            self.text(layout.style, &line);
        }
        self.finish();
    }

    fn text(&mut self, style: Style, line: &Line<'_>) {
        let now = Timestamp::of(SystemTime::now());
        if style == Style::Short {
            now.write_clock(&mut self.bytes);
            self.bytes.push(b'Z');
        } else {
            now.write_full(&mut self.bytes);
        }
        self.message(format_args!(" [{}] [{}] ", std::process::id(), line.kind.level().as_str()));
        if let Some(incident) = line.kind.incident() {
            self.message(format_args!("{incident} "));
        }
        self.message(line.message);
        let (_, below) = line.below;
        if let (Some(worker), Some(thread), false) = (line.worker, line.thread, below.is_empty()) {
            self.message(format_args!(" (worker {worker}, thread {thread})"));
        }
        about::with_id(|id| self.message(format_args!(" (request {})", id.escape_ascii())));
        if !below.trim_ascii().is_empty() {
            self.block(below);
        }
    }

    /// The memory itself, for what is known to be harmless and short (time, process, level).
    pub(crate) fn raw(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Appends formatted text, escaped.
    fn message(&mut self, message: fmt::Arguments<'_>) {
        // An error can only come from the value's own formatting: what it wrote until then is still worth a line.
        if self.write_fmt(message).is_err() {
            self.piece(b"[formatting failed]");
        }
    }

    /// Appends text line by line, each on an indented line of its own, escaped.
    fn block(&mut self, text: &[u8]) {
        for line in text.trim_ascii_end().split(|byte| *byte == b'\n') {
            self.next_line();
            escape::text(self, line.strip_suffix(b"\r").unwrap_or(line));
        }
    }

    /// Ends the last line.
    pub(crate) fn finish(&mut self) {
        self.bytes.push(b'\n');
        self.line_start = self.bytes.len();
    }

    fn next_line(&mut self) {
        self.finish();
        self.bytes.extend_from_slice(CONTINUATION);
    }
}

impl Pieces for Record {
    fn piece(&mut self, bytes: &[u8]) {
        if self.bytes.len() - self.line_start + bytes.len() >= MAX_LINE {
            self.next_line();
        }
        self.bytes.extend_from_slice(bytes);
    }
}

impl Write for Record {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escape::text(self, text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_block_is_indented_line_by_line() {
        let mut record = Record::default();
        record.message(format_args!("the app failed\nhere"));
        record.block(b"Traceback:\r\n  File \"x\"\x1b\n\n");
        record.finish();
        let expected = "the app failed\\nhere\n    Traceback:\n      File \"x\"\\x1b\n";
        assert_eq!(std::str::from_utf8(record.as_bytes()).unwrap(), expected);
    }

    proptest! {
        #[test]
        fn lines_are_bounded_and_nothing_is_lost(text in "[ -~é]{0,9000}") {
            let mut record = Record::default();
            record.message(format_args!("{text}"));
            record.finish();
            let written = std::str::from_utf8(record.as_bytes()).unwrap();
            prop_assert!(written.split_inclusive('\n').all(|line| line.len() <= MAX_LINE && line.ends_with('\n')));
            prop_assert_eq!(written.strip_suffix('\n').unwrap().replace("\n    ", ""), text);
        }
    }
}
