//! What names a request in every log on its way: taken over from a proxy that is believed, or made. Run for each
//! request where ids are asked for; nothing here allocates or asks the system.

use crate::Variable;
use crate::vars::{Name, Vars};

/// The longest id that is taken over, in bytes.
pub const LONGEST: usize = 128;

/// Digits of an id that is made here.
const DIGITS: usize = 32;

/// Whether an id that somebody else made can be taken over: 1 to [`LONGEST`] visible ASCII bytes, without those that end or
/// begin something in a log line, in HTML or in a shell.
pub fn is_acceptable(id: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_graphic() && !b"\"'\\<>&`$".contains(byte);
    (1..=LONGEST).contains(&id.len()) && id.iter().all(is_plain)
}

/// The field that carries the ids of requests.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestIdField {
    field: Box<[u8]>,
    small: Box<[u8]>,
    variable: Box<[u8]>,
    known: Option<Variable>,
}

impl RequestIdField {
    /// By its name, a token without underscores.
    pub fn new(field: &str) -> RequestIdField {
        let variable = format!("HTTP_{}", field.replace('-', "_").to_ascii_uppercase());
        RequestIdField {
            known: Variable::of_name(variable.as_bytes()),
            variable: variable.into_bytes().into(),
            field: field.as_bytes().into(),
            small: field.to_ascii_lowercase().into_bytes().into(),
        }
    }

    /// The name of the field.
    pub fn name(&self) -> &[u8] {
        &self.field
    }

    /// The name in small letters.
    pub fn small_name(&self) -> &[u8] {
        &self.small
    }

    /// The variable that the field becomes.
    pub fn variable(&self) -> Name<'_> {
        self.known.map_or(Name::Other(&self.variable), Name::Known)
    }

    /// Gives a request its id, as the field's variable and as [`Variable::TapsterRequestId`]: what the field says if its
    /// sender is believed and that is acceptable, else the next of `ids`.
    pub fn set(&self, vars: &mut Vars, is_believed: bool, ids: &mut RequestIds) {
        let own = Name::Known(Variable::TapsterRequestId);
        match vars.value(self.variable()).filter(|said| is_believed && is_acceptable(said)) {
            Some(said) => {
                let mut id = [0; LONGEST];
                let id = &mut id[..said.len()];
                id.copy_from_slice(said);
                vars.set(own, id);
            }
            None => {
                vars.set(own, &ids.draw());
                vars.alias(self.variable(), Variable::TapsterRequestId, 0..usize::MAX);
            }
        }
    }

    /// Appends the field as a line of an answer's head.
    pub fn write(&self, out: &mut Vec<u8>, id: &[u8]) {
        out.extend_from_slice(&self.field);
        out.extend_from_slice(b": ");
        out.extend_from_slice(id);
        out.extend_from_slice(b"\r\n");
    }
}

/// Ids of 128 bits, all different: two counters on ways of their own (SplitMix64), which begin anywhere. Not for secrets.
#[derive(Clone, Copy, Debug)]
pub struct RequestIds([u64; 2]);

impl RequestIds {
    /// A sequence that begins where `seed` says: random numbers, others in each thread of each process.
    pub fn new(seed: [u64; 2]) -> RequestIds {
        RequestIds(seed)
    }

    /// The next id, in hexadecimal digits.
    pub fn draw(&mut self) -> [u8; DIGITS] {
        let mut nibbles = [0; DIGITS];
        for (byte, pair) in self.draw_bytes().into_iter().zip(nibbles.as_chunks_mut::<2>().0) {
            *pair = [byte >> 4, byte & 15];
        }
        // All at once: the compiler makes a few instructions of it.
        nibbles.map(|nibble| nibble + b'0' + if nibble > 9 { b'a' - b'9' - 1 } else { 0 })
    }

    /// The next id, in bytes.
    pub fn draw_bytes(&mut self) -> [u8; DIGITS / 2] {
        let mut bytes = [0; DIGITS / 2];
        for (counter, half) in self.0.iter_mut().zip(bytes.chunks_exact_mut(DIGITS / 4)) {
            *counter = counter.wrapping_add(0x9e37_79b9_7f4a_7c15);
            half.copy_from_slice(&mix(*counter).to_be_bytes());
        }
        bytes
    }
}

/// The finalizer of SplitMix64: no two numbers become one.
fn mix(mut number: u64) -> u64 {
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn given(field: &str, name: Name<'_>, said: Option<&[u8]>, is_believed: bool) -> (Vec<u8>, Vec<u8>) {
        let mut vars = Vars::default();
        vars.set(Name::Known(Variable::RequestMethod), b"GET");
        if let Some(said) = said {
            vars.set(name, said);
        }
        let field = RequestIdField::new(field);
        field.set(&mut vars, is_believed, &mut RequestIds::new([1, 2]));
        (vars.value(name).unwrap().to_vec(), vars.get(Variable::TapsterRequestId).unwrap().to_vec())
    }

    #[test]
    fn an_id_is_taken_over_or_made() {
        let known = Name::Known(Variable::HttpXRequestId);
        let made = RequestIds::new([1, 2]).draw().to_vec();
        assert_eq!(given("X-Request-ID", known, Some(b"a-1"), true), (b"a-1".to_vec(), b"a-1".to_vec()));
        assert_eq!(given("X-Request-ID", known, Some(b"a-1"), false), (made.clone(), made.clone()));
        assert_eq!(given("X-Request-ID", known, None, true), (made.clone(), made.clone()));
        let other = Name::Other(b"HTTP_X_TRACE_NR");
        assert_eq!(given("X-Trace-Nr", other, Some(b"7"), true), (b"7".to_vec(), b"7".to_vec()));
        assert_eq!(given("X-Trace-Nr", other, Some(b"7 8"), true), (made.clone(), made));
    }

    #[test]
    fn what_can_be_taken_over() {
        for id in [&b"1"[..], b"Root=1-67891233-abcdef;Self=2", b"a/b+c==", &[b'x'; LONGEST]] {
            assert!(is_acceptable(id), "{}", id.escape_ascii());
        }
        for id in [&b""[..], b"a b", b"a\n", b"a\"", b"<a>", "é".as_bytes(), &[b'x'; LONGEST + 1]] {
            assert!(!is_acceptable(id), "{}", id.escape_ascii());
        }
    }

    #[test]
    fn an_id_is_hexadecimal_digits() {
        let first = [1_u64, 2].map(|seed| mix(seed.wrapping_add(0x9e37_79b9_7f4a_7c15)));
        let text = format!("{:016x}{:016x}", first[0], first[1]);
        assert_eq!(RequestIds::new([1, 2]).draw(), text.as_bytes());
    }

    #[test]
    fn ids_are_all_different() {
        let mut ids = [RequestIds::new([1, 2]), RequestIds::new([1, 3]), RequestIds::new([5, 2])];
        let all: HashSet<_> = (0..30_000).map(|number| ids[number % 3].draw()).collect();
        assert_eq!(all.len(), 30_000);
    }

    proptest! {
        #[test]
        fn the_id_of_a_request_is_always_acceptable(said in prop::collection::vec(any::<u8>(), 0..200), is_believed: bool) {
            let (field, own) = given("X-Request-ID", Name::Known(Variable::HttpXRequestId), Some(&said), is_believed);
            prop_assert!(is_acceptable(&own));
            prop_assert_eq!(&field, &own);
            prop_assert_eq!(own == said, is_believed && is_acceptable(&said));
        }
    }
}
