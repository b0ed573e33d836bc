//! The head of an answer as text, whose fields can be asked for and changed.

use tapster_http1::syntax;

/// The status line behind the version, and the fields, each line with its end. What belongs to one connection is not among them:
/// that is added when the answer is framed.
#[derive(Clone)]
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

    /// The same, with room for so many bytes more.
    pub(crate) fn with_room(&self, room: usize) -> Head {
        let mut text = Vec::with_capacity(self.text.len() + room);
        text.extend_from_slice(&self.text);
        Head { text, ..*self }
    }

    /// The same fields with another status.
    pub(crate) fn with_status(&self, status: u16, status_text: &[u8]) -> Head {
        let mut head = Head::new(status, status_text, self.text.len() + 160);
        head.text.extend_from_slice(&self.text[self.fields..]);
        head
    }

    /// All of it.
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    /// All of it, and where the fields begin: for who changes them.
    pub(crate) fn text_mut(&mut self) -> (&mut Vec<u8>, usize) {
        (&mut self.text, self.fields)
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

    /// The values of a field, whose name is given in small letters.
    pub(crate) fn values<'h>(&'h self, name: &'h [u8]) -> impl Iterator<Item = &'h [u8]> {
        let named = move |(known, value): (&'h [u8], &'h [u8])| is_name(name, known).then_some(value);
        self.iter().filter_map(named)
    }

    /// The first value of a field, whose name is given in small letters.
    pub(crate) fn value(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().find(|(known, _)| is_name(name, known)).map(|(_, value)| value)
    }

    /// Whether a field is there, whose name is given in small letters.
    pub(crate) fn has(&self, name: &[u8]) -> bool {
        self.value(name).is_some()
    }

    /// Removes every field of this name, which is given in small letters.
    pub(crate) fn remove(&mut self, name: &[u8]) {
        if !self.has(name) {
            return;
        }
        let (status, fields) = self.text.split_at(self.fields);
        let mut text = Vec::with_capacity(self.text.len());
        text.extend_from_slice(status);
        for line in fields.split_inclusive(|&byte| byte == b'\n') {
            if !parts(line).is_some_and(|(known, _)| is_name(name, known)) {
                text.extend_from_slice(line);
            }
        }
        self.text = text;
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
        head.add(b"Vary", b"Cookie");
        head.add(b"X", b"");
        head.add(b"VARY", b"a: b");
        assert_eq!(head.values(b"vary").collect::<Vec<_>>(), [&b"Cookie"[..], b"a: b"]);
        assert_eq!((head.value(b"x"), head.has(b"date")), (Some(&b""[..]), false));
        head.remove(b"vary");
        head.remove(b"date");
        assert_eq!(head.text(), b"200 OK: all\r\nX: \r\n");
    }
}
