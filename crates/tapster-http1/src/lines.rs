//! The lines of a head: where the request line and the head end, and that all of them are ended by CRLF and
//! within the limits. Looks at line ends only, so that it is cheap to repeat while a head arrives in pieces.

use crate::{Limits, Refusal};

/// What the line ends of a buffer tell.
pub(crate) struct Lines {
    /// Where the request line starts: after the empty lines that RFC 9112 §2.2 asks to ignore.
    pub start: usize,
    /// One past the CRLF of the request line, if that is there.
    pub request_line_end: Option<usize>,
    /// One past the blank line, if that is there; or the first line that is wrong.
    pub end: Result<Option<usize>, Refusal>,
}

/// Empty lines allowed before a request line: old clients send one after a POST body.
const LEADING_LINES: usize = 2;

/// Reads the line ends. The first wrong byte decides, so a head gives the same answer whole and in pieces.
pub(crate) fn scan(buffer: &[u8], limits: &Limits) -> Lines {
    let start = buffer.chunks_exact(2).take(LEADING_LINES).take_while(|pair| pair == b"\r\n").count() * 2;
    let mut lines = Lines { start, request_line_end: None, end: Ok(None) };
    lines.end = lines.walk(buffer, limits);
    lines
}

impl Lines {
    fn walk(&mut self, buffer: &[u8], limits: &Limits) -> Result<Option<usize>, Refusal> {
        let text = buffer.get(self.start..).unwrap_or_default();
        let longest = limits.request_line.saturating_add(2);
        let mut feeds = memchr::memchr_iter(b'\n', text);
        let Some(first) = feeds.next().filter(|&feed| feed < longest) else {
            return if text.len() >= longest { Err(Refusal::RequestLineTooLong) } else { Ok(None) };
        };
        match first.checked_sub(1).and_then(|before| text.get(before)) {
            Some(b'\r') if first == 1 => return Err(Refusal::LeadingLines),
            Some(b'\r') => {}
            _ => return Err(Refusal::BareLf),
        }
        self.request_line_end = Some(self.start + first + 1);
        let mut previous = first;
        let mut fields = 0;
        for feed in feeds {
            if feed >= limits.head {
                return Err(Refusal::HeadTooLarge);
            }
            if text.get(feed - 1) != Some(&b'\r') {
                return Err(Refusal::BareLf);
            }
            if feed == previous + 2 {
                return Ok(Some(self.start + feed + 1));
            }
            previous = feed;
            fields += 1;
            if fields > limits.fields {
                return Err(Refusal::TooManyFields);
            }
        }
        if text.len() >= limits.head { Err(Refusal::HeadTooLarge) } else { Ok(None) }
    }
}
