//! The uwsgi protocol as bytes, both directions: a header of four bytes and a block of variables, followed by a
//! body that CONTENT_LENGTH delimits. Pure: no I/O, no clock. Run by the worker for its peers (nginx, Apache) and,
//! as an encoder, by the front and by tests.
//!
//! ```text
//! modifier1 u8 | datasize u16 little-endian | modifier2 u8
//! datasize bytes of: key length u16 le | key | value length u16 le | value
//! ```

#![forbid(unsafe_code)]

mod decode;
mod encode;
mod refusal;

pub use decode::{Decoded, Limits, Packet, Variables, decode};
pub use encode::{EncodeError, PING, PONG, encode};
pub use refusal::Refusal;

/// Bytes of the packet header.
pub const HEADER: usize = 4;

/// Bytes of the largest packet: what its header can say, and all of it is taken.
pub const MAX_PACKET: usize = HEADER + u16::MAX as usize;

/// `modifier1` of a request for a WSGI application.
pub const REQUEST: u8 = 0;

/// `modifier1` of a request whose PATH_INFO still starts with SCRIPT_NAME (`uwsgi_modifier1 30` in nginx).
pub const REQUEST_WITH_SCRIPT_NAME: u8 = 30;

/// `modifier1` of a ping, answered with [`PONG`].
pub const PING_MODIFIER: u8 = 100;
