//! The request engine over real sockets with Rust closures as applications: no Python, no supervisor. Run by
//! `cargo test -p tapster-worker`. Each file is one subject; `server.rs`, `client.rs` and `app.rs` are the tools.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test fails by its panic"
)]

mod app;
mod client;
mod server;

mod answers;
mod blocking;
mod bodies;
mod bursts;
mod capacity;
mod control;
mod drain;
mod elsewhere;
mod interpreter;
mod lanes;
mod limits;
mod load;
mod overdue;
mod protocol;
mod refusals;
mod signals;
mod slow_clients;
mod timeouts;
mod uwsgi;
