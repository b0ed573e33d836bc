//! The head of an answer as text, whose fields can be asked for and changed.

use tapster_http1::syntax;

/// The status line behind the version, and the fields, each line with its end. What belongs to one connection is not among them:
/// that is added when the answer is framed.
pub(crate) struct Head {
    pub(crate) status: u16,
    text: Vec<u8>,
    /// Where the fields begin.
    fields: usize,
}

impl Head {
    /// One without fields; `status_text` is the code, a space and the reason. `room` is for how many bytes of fields.
    pub(crate) fn new(status: u16, status_text: &[u8], room: usize) -> Head {
        let mut text = Vec::with_capacity(status_text.len() + 2 + room);
        text.extend_from_slice(status_text);
        text.extend_from_slice(b"\r\n");
        Head { status, fields: text.len(), text }
    }

    /// All of it.
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Adds a field.
    pub(crate) fn add(&mut self, name: &[u8], value: &[u8]) {
        self.text.extend_from_slice(name);
        self.text.extend_from_slice(b": ");
        self.text.extend_from_slice(value);
        self.text.extend_from_slice(b"\r\n");
    }

    /// Adds whole lines.
    pub(crate) fn add_lines(&mut self, lines: &[u8]) {
        self.text.extend_from_slice(lines);
    }

    /// The names and values of all fields.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let lines = self.text[self.fields..].split_inclusive(|&byte| byte == b'\n');
        lines.filter_map(parts)
    }

    /// The first value of a field, whose name is given in small letters.
    pub(crate) fn value(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().find(|(known, _)| is_name(name, known)).map(|(_, value)| value)
    }

    /// Whether a field is there, whose name is given in small letters.
    pub(crate) fn has(&self, name: &[u8]) -> bool {
        self.value(name).is_some()
    }
}

/// Whether a name, which is a token, is this one in small letters.
fn is_name(wanted: &[u8], name: &[u8]) -> bool {
    wanted.len() == name.len() && syntax::is_lower_case_of(wanted, name)
}

/// Name and value of a line.
fn parts(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    Some((&line[..colon], syntax::trim_ows(line[colon + 1..].trim_ascii_end())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_whatever_their_letters() {
        let mut head = Head::new(200, b"200 OK: all", 0);
        head.add(b"VARY", b"a: b");
        head.add(b"X", b"");
        assert_eq!(head.value(b"vary"), Some(&b"a: b"[..]));
        assert_eq!((head.value(b"x"), head.has(b"date")), (Some(&b""[..]), false));
    }
}
