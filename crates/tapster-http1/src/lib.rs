//! HTTP/1 as bytes: request heads, message framing, chunked bodies and the fields that the server adds to an
//! answer. Strict, with no lenient mode: what two parsers could read differently is refused (RFC 9112 §11.2).
//! Pure: no I/O, no clock. Run by the worker for its clients and by the front for its own.

#![forbid(unsafe_code)]

pub mod chunked;
mod date;
pub mod encode;
pub mod framing;
pub mod head;
mod host;
mod limits;
mod refusal;
pub mod response;
mod span;
pub mod syntax;
pub mod target;

pub use chunked::ChunkedDecoder;
pub use framing::{BodyLength, Framing, framing};
pub use head::{Field, Head, Version};
pub use limits::Limits;
pub use refusal::Refusal;
pub use response::{ResponseBody, ResponseHead};
pub use span::Span;
pub use target::{Form, Target};
