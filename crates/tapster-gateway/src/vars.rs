//! An ordered list of CGI variables over one byte buffer, reused from request to request.

use std::ops::Range;

use crate::Variable;

/// The name of a variable: known, or spelt out (`HTTP_X_TENANT`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Name<'a> {
    /// One that has a number of its own.
    Known(Variable),
    /// Any other, as CGI spells it.
    Other(&'a [u8]),
}

impl<'a> Name<'a> {
    /// The name as CGI spells it.
    pub fn as_bytes(self) -> &'a [u8] {
        match self {
            Name::Known(variable) => variable.name().as_bytes(),
            Name::Other(bytes) => bytes,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    end: u32,
}

#[derive(Clone, Copy, Debug)]
enum EntryName {
    Known(Variable),
    Other(Span),
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    name: EntryName,
    value: Span,
}

const ABSENT: u32 = u32::MAX;

/// CGI variables in the order they were added; each name occurs once. Values are bytes (latin-1 to PEP 3333).
#[derive(Clone, Debug)]
pub struct Vars {
    text: Vec<u8>,
    entries: Vec<Entry>,
    /// Where each known variable stands in `entries`.
    places: [u32; Variable::COUNT],
}

impl Default for Vars {
    fn default() -> Self {
        Vars { text: Vec::new(), entries: Vec::new(), places: [ABSENT; Variable::COUNT] }
    }
}

impl Vars {
    /// Forgets all variables, keeps the memory, and takes a copy of a protocol's bytes: values that stand in them
    /// as they are need no copy of their own ([`Vars::set_range`]).
    pub(crate) fn begin(&mut self, source: &[u8]) {
        self.clear();
        self.text.extend_from_slice(source);
    }

    /// Forgets all variables and keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.entries.clear();
        self.places = [ABSENT; Variable::COUNT];
    }

    /// How many variables there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of a known variable.
    pub fn get(&self, variable: Variable) -> Option<&[u8]> {
        let place = self.places[variable.index()];
        (place != ABSENT).then(|| self.slice(self.entries[place as usize].value))
    }

    /// The value of a variable by its CGI name.
    pub fn get_named(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().find(|(found, _)| found.as_bytes() == name).map(|(_, value)| value)
    }

    /// All variables, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Name<'_>, &[u8])> {
        self.entries.iter().map(|entry| (self.name(entry), self.slice(entry.value)))
    }

    /// Sets a variable: the last value given wins, at the place of the first.
    pub fn set(&mut self, name: Name<'_>, value: &[u8]) {
        let value = self.store(value);
        self.put(name, value);
    }

    /// Sets a variable to a range of what [`Vars::begin`] took. A range beyond it ends with it.
    pub(crate) fn set_range(&mut self, name: Name<'_>, range: Range<usize>) {
        let Range { start, end } = self.clamp(range);
        self.put(name, Span { start: start as u32, end: end as u32 });
    }

    /// Adds a request field whose value is a range of what [`Vars::begin`] took: [`Vars::join`] without a copy
    /// where the field is the first of its name.
    pub(crate) fn join_range(&mut self, variable: Variable, range: Range<usize>, separator: &[u8]) {
        match self.place(Name::Known(variable)) {
            None => self.set_range(Name::Known(variable), range),
            Some(place) => {
                let range = self.clamp(range);
                self.join_at(place, separator, |text| text.extend_from_within(range));
            }
        }
    }

    /// Adds a request field: a second one of the same name is joined to the first by `separator`
    /// (RFC 9110 §5.3; `; ` for Cookie, RFC 6265 §5.4).
    pub fn join(&mut self, name: Name<'_>, value: &[u8], separator: &[u8]) {
        match self.place(name) {
            None => self.set(name, value),
            Some(place) => self.join_at(place, separator, |text| text.extend_from_slice(value)),
        }
    }

    /// Adds a request field that no known variable carries, by its field name: `X-Tenant` is `HTTP_X_TENANT`. Its
    /// value is a range of what [`Vars::begin`] took. A second one of the same name is joined to the first.
    pub(crate) fn join_field(&mut self, field: &[u8], range: Range<usize>, separator: &[u8]) {
        let range = self.clamp(range);
        let start = self.text.len();
        self.text.extend_from_slice(b"HTTP_");
        self.text
            .extend(field.iter().map(|&byte| if byte == b'-' { b'_' } else { byte.to_ascii_uppercase() }));
        let name = Span { start: start as u32, end: self.text.len() as u32 };
        match self.place(Name::Other(self.slice(name))) {
            None => {
                let value = Span { start: range.start as u32, end: range.end as u32 };
                self.entries.push(Entry { name: EntryName::Other(name), value });
            }
            Some(place) => {
                self.text.truncate(start);
                self.join_at(place, separator, |text| text.extend_from_within(range));
            }
        }
    }

    /// Sets a variable to a part of the present value of another, which is shared, not copied. A part that
    /// reaches beyond the value ends with it; an absent variable counts as empty.
    pub(crate) fn alias(&mut self, name: Name<'_>, from: Variable, part: Range<usize>) {
        let place = self.places[from.index()];
        let span = match self.entries.get(place as usize) {
            Some(entry) if place != ABSENT => entry.value,
            _ => Span { start: 0, end: 0 },
        };
        let length = (span.end - span.start) as usize;
        let (start, end) = (part.start.min(length) as u32, part.end.min(length) as u32);
        self.put(name, Span { start: span.start + start, end: span.start + end.max(start) });
    }

    /// Sets a variable to what `write` appends to the buffer it is given (decoded paths, upper-cased names).
    pub fn set_with(&mut self, name: Name<'_>, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.text.len() as u32;
        write(&mut self.text);
        let value = Span { start, end: self.text.len() as u32 };
        self.put(name, value);
    }

    /// [`Vars::set_with`] for a `write` that can fail; then the variable is as it was.
    pub(crate) fn try_set_with<E>(
        &mut self,
        name: Name<'_>,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.text.len();
        if let Err(error) = write(&mut self.text) {
            self.text.truncate(start);
            return Err(error);
        }
        let value = Span { start: start as u32, end: self.text.len() as u32 };
        self.put(name, value);
        Ok(())
    }

    /// Removes a variable, if it is there.
    pub fn remove(&mut self, name: Name<'_>) {
        let Some(place) = self.place(name) else { return };
        self.entries.remove(place);
        for known in &mut self.places {
            if *known == place as u32 {
                *known = ABSENT;
            } else if *known != ABSENT && *known > place as u32 {
                *known -= 1;
            }
        }
    }

    /// The part of `range` that is there.
    fn clamp(&self, range: Range<usize>) -> Range<usize> {
        let end = range.end.min(self.text.len());
        range.start.min(end)..end
    }

    /// Appends to a value. One that stands last grows where it is: repeated fields cost no more than their bytes.
    fn join_at(&mut self, place: usize, separator: &[u8], write: impl FnOnce(&mut Vec<u8>)) {
        let first = self.entries[place].value;
        let mut start = first.start;
        if first.end as usize != self.text.len() {
            start = self.text.len() as u32;
            self.text.extend_from_within(first.start as usize..first.end as usize);
        }
        self.text.extend_from_slice(separator);
        write(&mut self.text);
        self.entries[place].value = Span { start, end: self.text.len() as u32 };
    }

    fn put(&mut self, name: Name<'_>, value: Span) {
        if let Some(place) = self.place(name) {
            self.entries[place].value = value;
            return;
        }
        let name = match name {
            Name::Known(variable) => {
                self.places[variable.index()] = self.entries.len() as u32;
                EntryName::Known(variable)
            }
            Name::Other(bytes) => EntryName::Other(self.store(bytes)),
        };
        self.entries.push(Entry { name, value });
    }

    fn place(&self, name: Name<'_>) -> Option<usize> {
        match name {
            Name::Known(variable) => {
                let place = self.places[variable.index()];
                (place != ABSENT).then_some(place as usize)
            }
            Name::Other(bytes) => self
                .entries
                .iter()
                .position(|entry| matches!(entry.name, EntryName::Other(span) if self.slice(span) == bytes)),
        }
    }

    fn name(&self, entry: &Entry) -> Name<'_> {
        match entry.name {
            EntryName::Known(variable) => Name::Known(variable),
            EntryName::Other(span) => Name::Other(self.slice(span)),
        }
    }

    fn slice(&self, span: Span) -> &[u8] {
        &self.text[span.start as usize..span.end as usize]
    }

    fn store(&mut self, bytes: &[u8]) -> Span {
        let start = self.text.len() as u32;
        self.text.extend_from_slice(bytes);
        Span { start, end: self.text.len() as u32 }
    }
}
