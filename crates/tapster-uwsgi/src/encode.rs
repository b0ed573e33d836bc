//! A packet as bytes: what a front, a health check or a test sends.

use std::fmt;

use crate::{HEADER, PING_MODIFIER};

/// A ping: `modifier1` 100, `modifier2` 0, no variables.
pub const PING: [u8; HEADER] = [PING_MODIFIER, 0, 0, 0];

/// The answer to a ping: `modifier1` 100, `modifier2` 1, no variables.
pub const PONG: [u8; HEADER] = [PING_MODIFIER, 0, 0, 1];

/// Why variables do not make a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EncodeError {
    /// More than the 65,535 bytes that the header can say. A size that wrapped would let the rest be read as the
    /// next packet (CVE-2020-11984).
    TooLarge,
    /// A variable without a name.
    EmptyName,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            EncodeError::TooLarge => "the variables take more than the 65535 bytes of a uwsgi packet",
            EncodeError::EmptyName => "a uwsgi variable needs a name",
        })
    }
}

impl std::error::Error for EncodeError {}

/// Appends a packet. After an error `out` is as it was.
pub fn encode<'a>(
    out: &mut Vec<u8>,
    modifier1: u8,
    modifier2: u8,
    variables: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
) -> Result<(), EncodeError> {
    let start = out.len();
    out.extend_from_slice(&[modifier1, 0, 0, modifier2]);
    let done = append(out, start, variables);
    if done.is_err() {
        out.truncate(start);
    }
    done
}

fn append<'a>(
    out: &mut Vec<u8>,
    start: usize,
    variables: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
) -> Result<(), EncodeError> {
    for (name, value) in variables {
        if name.is_empty() {
            return Err(EncodeError::EmptyName);
        }
        for text in [name, value] {
            let length = u16::try_from(text.len()).map_err(|_| EncodeError::TooLarge)?;
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(text);
        }
    }
    let size = u16::try_from(out.len() - start - HEADER).map_err(|_| EncodeError::TooLarge)?;
    if let Some(place) = out.get_mut(start + 1..start + 3) {
        place.copy_from_slice(&size.to_le_bytes());
    }
    Ok(())
}
