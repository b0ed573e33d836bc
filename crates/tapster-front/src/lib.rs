//! The front: what stands before the workers when an option asks for it. It takes the clients' connections, answers from
//! files what it can, and passes the rest to the workers. The only async crate; its process runs no Python.
//!
//! One pipeline: listener ([`listen`]) → connection ([`connection`]) → request head ([`receive`]) → route ([`route`]) →
//! handler ([`files`], [`pass`], [`upstream`]) → answer ([`reply`], [`write`]). A new kind of listener or handler is a module of its own beside these.

#![forbid(unsafe_code)]

mod access;
pub mod acme;
mod admission;
mod balance;
mod body;
mod cache;
mod client;
mod compress;
mod connection;
mod drain;
mod files;
mod flow;
mod forwarding;
mod front;
mod http2;
mod listen;
mod orders;
mod overrides;
mod pace;
mod pass;
mod policy;
mod receive;
mod redirect;
mod refuse;
mod reply;
mod request_id;
mod resolve;
mod respond;
mod rest;
mod route;
mod spool;
mod stream;
pub mod tls;
mod upstream;
mod uwsgi;
mod variables;
mod websocket;
mod workers;
mod write;

pub use admission::check_lists;
pub use front::{Ends, Renew, run};
pub use route::check;
