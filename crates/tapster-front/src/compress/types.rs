//! Which media types are worth being compressed.

/// Patterns of media types: `text/html`, `text/*`, `application/*+json`.
pub(crate) struct Types(Vec<Pattern>);

enum Pattern {
    Exact(String),
    /// Begins so, and ends so.
    Around(String, String),
}

/// Streams of events wait for each other in a compressor, and keep it for hours: only if they are named.
const EVENTS: &[u8] = b"text/event-stream";

impl Types {
    /// From patterns in small letters.
    pub(crate) fn new(patterns: &[impl AsRef<str>]) -> Types {
        let pattern = |text: &str| match text.split_once('*') {
            Some((start, end)) => Pattern::Around(start.to_owned(), end.to_owned()),
            None => Pattern::Exact(text.to_owned()),
        };
        Types(patterns.iter().map(|text| pattern(text.as_ref())).collect())
    }

    /// Whether a value of Content-Type is one of them.
    pub(crate) fn have(&self, content_type: &[u8]) -> bool {
        let end = memchr::memchr(b';', content_type).unwrap_or(content_type.len());
        let essence = content_type[..end].trim_ascii();
        let is_events = essence.eq_ignore_ascii_case(EVENTS);
        self.0.iter().any(|pattern| match pattern {
            Pattern::Exact(name) => essence.eq_ignore_ascii_case(name.as_bytes()),
            Pattern::Around(start, end) => {
                !is_events
                    && essence.len() >= start.len() + end.len()
                    && essence[..start.len()].eq_ignore_ascii_case(start.as_bytes())
                    && essence[essence.len() - end.len()..].eq_ignore_ascii_case(end.as_bytes())
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_have_one_star() {
        let patterns = ["text/*", "application/json", "application/*+json"].map(str::to_owned);
        let types = Types::new(&patterns);
        for (value, expected) in [
            ("text/html", true),
            ("Text/HTML; charset=utf-8", true),
            ("text/event-stream", false),
            ("application/json", true),
            ("application/json-seq", false),
            ("application/ld+json;a=b", true),
            ("application/+json", true),
            ("application/json+", false),
            ("image/png", false),
            ("", false),
            ("text", false),
        ] {
            assert_eq!(types.have(value.as_bytes()), expected, "{value}");
        }
        assert!(Types::new(&["text/event-stream".to_owned()]).have(b"text/event-stream"));
    }
}
