//! A packet from the start of a buffer, incrementally: header, then all variables, checked once.

use crate::{HEADER, PING_MODIFIER, REQUEST, REQUEST_WITH_SCRIPT_NAME, Refusal};

/// Limits on a packet. Its size needs none: 65,535 bytes are the most that the header can say, and all are taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Most variables.
    pub variables: usize,
}

impl Default for Limits {
    /// 1,000 variables: ten times what nginx sends for a browser.
    fn default() -> Self {
        Limits { variables: 1000 }
    }
}

/// What the bytes so far make.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decoded<'a> {
    /// Not a whole packet: at least this many bytes are needed, counted from the start of the buffer.
    NeedMore(usize),
    /// A whole packet.
    Packet(Packet<'a>),
}

/// A packet whose variables are known to be well-formed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet<'a> {
    /// 0 or 30 for a request, 100 for a ping.
    pub modifier1: u8,
    /// Carried, with no meaning in the modifiers that are served.
    pub modifier2: u8,
    /// Bytes of the buffer that the packet takes; the body follows.
    pub length: usize,
    block: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Whether this is a ping, to be answered with [`PONG`](crate::PONG).
    pub fn is_ping(&self) -> bool {
        self.modifier1 == PING_MODIFIER
    }

    /// The variables in the order they came, names and values. A name may come more than once.
    pub fn vars(&self) -> Variables<'a> {
        Variables { rest: self.block }
    }
}

/// The variables of a packet.
#[derive(Clone, Debug)]
pub struct Variables<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Variables<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, rest) = text(self.rest)?;
        let (value, rest) = text(rest)?;
        self.rest = rest;
        Some((name, value))
    }
}

/// Decodes the packet that `buffer` starts with.
///
/// The modifier is judged by the first byte, the variables when all of them are there.
pub fn decode<'a>(buffer: &'a [u8], limits: &Limits) -> Result<Decoded<'a>, Refusal> {
    let modifier1 = match buffer.first() {
        None => return Ok(Decoded::NeedMore(HEADER)),
        Some(&known @ (REQUEST | REQUEST_WITH_SCRIPT_NAME | PING_MODIFIER)) => known,
        Some(&other) => return Err(Refusal::Modifier(other)),
    };
    let [_, low, high, modifier2, rest @ ..] = buffer else {
        return Ok(Decoded::NeedMore(HEADER));
    };
    let size = usize::from(u16::from_le_bytes([*low, *high]));
    let Some(block) = rest.get(..size) else {
        return Ok(Decoded::NeedMore(HEADER + size));
    };
    check(block, limits)?;
    Ok(Decoded::Packet(Packet { modifier1, modifier2: *modifier2, length: HEADER + size, block }))
}

/// Checks that `block` is variables and nothing else.
fn check(block: &[u8], limits: &Limits) -> Result<(), Refusal> {
    let mut variables = Variables { rest: block };
    let mut count = 0;
    while !variables.rest.is_empty() {
        let (name, _) = variables.next().ok_or(Refusal::Overrun)?;
        if name.is_empty() {
            return Err(Refusal::EmptyName);
        }
        count += 1;
        if count > limits.variables {
            return Err(Refusal::TooManyVariables);
        }
    }
    Ok(())
}

/// A length and that many bytes, and what follows them.
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let [low, high, rest @ ..] = bytes else { return None };
    rest.split_at_checked(usize::from(u16::from_le_bytes([*low, *high])))
}
