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

const ABSENT: u16 = u16::MAX;

/// The kind of a variable that is spelt out.
const OTHER: u8 = u8::MAX;
const _: () = assert!(Variable::COUNT < OTHER as usize);

/// CGI variables in the order they were added; each name occurs once. Values are bytes (latin-1 to PEP 3333).
#[derive(Clone, Debug)]
pub struct Vars {
    text: Vec<u8>,
    values: Vec<Span>,
    /// What each value is of: the number of a known variable, or [`OTHER`]. Bytes, so that two lists of names are
    /// compared at once.
    kinds: Vec<u8>,
    /// Place and name of the variables that are spelt out, in order.
    others: Vec<(u16, Span)>,
    /// Where each known variable stands.
    places: [u16; Variable::COUNT],
}

impl Default for Vars {
    fn default() -> Self {
        Vars {
            text: Vec::new(),
            values: Vec::new(),
            kinds: Vec::new(),
            others: Vec::new(),
            places: [ABSENT; Variable::COUNT],
        }
    }
}

impl Vars {
    /// Forgets all variables, keeps the memory, and takes a copy of a protocol's bytes: values that stand in them
    /// as they are need no copy of their own ([`Vars::set_range`]).
    pub(crate) fn begin(&mut self, source: &[u8]) {
        self.clear();
        self.text.extend_from_slice(source);
    }

    /// Adds bytes that values may stand in, and says where.
    pub(crate) fn append(&mut self, source: &[u8]) -> usize {
        let base = self.text.len();
        self.text.extend_from_slice(source);
        base
    }

    /// Forgets all variables and keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.values.clear();
        self.kinds.clear();
        self.others.clear();
        self.places = [ABSENT; Variable::COUNT];
    }

    /// How many variables there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The value of a known variable.
    pub fn get(&self, variable: Variable) -> Option<&[u8]> {
        let place = self.places[variable.index()];
        self.values.get(usize::from(place)).map(|&value| self.slice(value))
    }

    /// The value of a variable.
    pub fn value(&self, name: Name<'_>) -> Option<&[u8]> {
        self.place(name).and_then(|place| self.values.get(place)).map(|&value| self.slice(value))
    }

    /// The value of a variable by its CGI name.
    pub fn get_named(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().find(|(found, _)| found.as_bytes() == name).map(|(_, value)| value)
    }

    /// All variables, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Name<'_>, &[u8])> {
        let mut others = self.others.iter();
        self.kinds.iter().zip(&self.values).map(move |(&kind, &value)| {
            let name = match Variable::ALL.get(usize::from(kind)) {
                Some(&variable) => Name::Known(variable),
                None => Name::Other(others.next().map_or(&[], |&(_, name)| self.slice(name))),
            };
            (name, self.slice(value))
        })
    }

    /// The values of all variables, in order.
    pub fn values(&self) -> impl Iterator<Item = &[u8]> {
        self.values.iter().map(|&value| self.slice(value))
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

    /// Sets a variable to bytes from `start` to `end` of what was appended at `base`.
    #[inline]
    pub(crate) fn set_part(&mut self, variable: Variable, base: usize, start: u32, end: u32) {
        self.put_known(variable, Span { start: base as u32 + start, end: base as u32 + end });
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
            None => self.push_other(name, Span { start: range.start as u32, end: range.end as u32 }),
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
        let span = self.values.get(usize::from(place)).copied().unwrap_or(Span { start: 0, end: 0 });
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
        self.values.remove(place);
        self.kinds.remove(place);
        let removed = place as u16;
        self.others.retain(|&(other, _)| other != removed);
        let others = self.others.iter_mut().map(|(other, _)| other);
        for place in self.places.iter_mut().chain(others) {
            if *place == removed {
                *place = ABSENT;
            } else if *place != ABSENT && *place > removed {
                *place -= 1;
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
        let first = self.values[place];
        let mut start = first.start;
        if first.end as usize != self.text.len() {
            start = self.text.len() as u32;
            self.text.extend_from_within(first.start as usize..first.end as usize);
        }
        self.text.extend_from_slice(separator);
        write(&mut self.text);
        self.values[place] = Span { start, end: self.text.len() as u32 };
    }

    #[inline]
    fn put(&mut self, name: Name<'_>, value: Span) {
        let name = match name {
            Name::Known(variable) => return self.put_known(variable, value),
            Name::Other(name) => name,
        };
        match self.place(Name::Other(name)) {
            Some(place) => self.values[place] = value,
            None => {
                let name = self.store(name);
                self.push_other(name, value);
            }
        }
    }

    #[inline]
    fn put_known(&mut self, variable: Variable, value: Span) {
        let place = &mut self.places[variable.index()];
        if let Some(present) = self.values.get_mut(usize::from(*place)) {
            *present = value;
            return;
        }
        *place = self.values.len() as u16;
        self.values.push(value);
        self.kinds.push(variable.index() as u8);
    }

    fn push_other(&mut self, name: Span, value: Span) {
        self.others.push((self.values.len() as u16, name));
        self.values.push(value);
        self.kinds.push(OTHER);
    }

    fn place(&self, name: Name<'_>) -> Option<usize> {
        match name {
            Name::Known(variable) => {
                let place = self.places[variable.index()];
                (place != ABSENT).then_some(usize::from(place))
            }
            Name::Other(bytes) => {
                let found = self.others.iter().find(|&&(_, name)| self.slice(name) == bytes);
                found.map(|&(place, _)| usize::from(place))
            }
        }
    }

    /// What each variable is, known ones by number; and the names of the others.
    pub(crate) fn names(&self) -> (&[u8], impl Iterator<Item = &[u8]>) {
        (&self.kinds, self.others.iter().map(|&(_, name)| self.slice(name)))
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
