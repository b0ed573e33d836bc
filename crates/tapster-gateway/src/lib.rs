//! The seam between protocols and applications: CGI variables, a request, a response head, and the traits
//! [`App`] and [`Respond`]. Pure: no I/O, no clock, no Python.
//!
//! An HTTP/1 head, a uwsgi packet, the hop from front to worker and the WSGI `environ` hold the same content in
//! four dresses: an ordered list of CGI variables plus a byte stream. [`Vars`] is that list; [`from_http`] and
//! [`from_uwsgi`] are the only places that build it.

#![forbid(unsafe_code)]

pub mod app;
pub mod connection;
pub mod forwarded;
pub mod from_http;
pub mod from_uwsgi;
pub mod hop;
pub mod layout;
mod lookup;
pub mod percent;
pub mod proxy_header;
pub mod request_id;
pub mod response;
pub mod sampler;
pub mod stacks;
pub mod trace;
mod variable;
pub mod vars;

pub use app::{
    App, Body, BodySize, Chunk, Endpoint, Flush, Kept, Notes, Protocol, Request, Respond, Scheme, WriteError,
};
pub use connection::Connection;
pub use layout::Layout;
pub use request_id::{RequestIdField, RequestIds};
pub use response::{HeadError, ResponseHead};
pub use sampler::{Counted, Sampler};
pub use stacks::{Stacks, ThreadStack};
pub use variable::Variable;
pub use vars::{Name, Vars};
