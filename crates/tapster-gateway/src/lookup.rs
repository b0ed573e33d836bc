//! From the bytes of a field or variable name to its [`Variable`], without allocating: two small hash tables made
//! at compile time.

use tapster_http1::syntax;

use crate::Variable;

/// Slots of a table: a power of two, and at most a third of them used, so that a search ends after a probe or two.
const SLOTS: usize = 256;
const _: () = assert!(Variable::COUNT * 3 <= SLOTS);

/// An empty slot.
const EMPTY: u8 = u8::MAX;

impl Variable {
    /// The variable that carries the HTTP field `name`, a token (RFC 9110 §5.6.2) in any case.
    pub fn of_field(name: &[u8]) -> Option<Variable> {
        find(&BY_FIELD, name, |variable| {
            variable.field().is_some_and(|field| syntax::is_lower_case_of(field.as_bytes(), name))
        })
    }

    /// The variable that CGI calls `name`.
    pub fn of_name(name: &[u8]) -> Option<Variable> {
        find(&BY_NAME, name, |variable| variable.name().as_bytes() == name)
    }
}

type Table = [u8; SLOTS];

static BY_FIELD: Table = build(true);
static BY_NAME: Table = build(false);

fn find(table: &Table, name: &[u8], is: impl Fn(Variable) -> bool) -> Option<Variable> {
    let mut slot = hash(name);
    loop {
        match table[slot] {
            EMPTY => return None,
            number => {
                let variable = Variable::ALL[number as usize];
                if is(variable) {
                    return Some(variable);
                }
            }
        }
        slot = (slot + 1) % SLOTS;
    }
}

/// Length, last byte and a middle one tell the known names apart nearly always. Bit 0x20 is the case of a letter.
const fn hash(name: &[u8]) -> usize {
    let length = name.len();
    if length == 0 {
        return 0;
    }
    let last = (name[length - 1] | 0x20) as usize;
    let middle = (name[length / 2] | 0x20) as usize;
    (length.wrapping_mul(7) + last.wrapping_mul(31) + middle.wrapping_mul(5)) % SLOTS
}

const fn build(fields: bool) -> Table {
    let mut table = [EMPTY; SLOTS];
    let mut index = 0;
    while index < Variable::COUNT {
        let variable = Variable::ALL[index];
        let name = match (fields, variable.field()) {
            (true, Some(field)) => field.as_bytes(),
            (true, None) => b"",
            (false, _) => variable.name().as_bytes(),
        };
        if !name.is_empty() {
            let mut slot = hash(name);
            while table[slot] != EMPTY {
                slot = (slot + 1) % SLOTS;
            }
            table[slot] = index as u8;
        }
        index += 1;
    }
    table
}
