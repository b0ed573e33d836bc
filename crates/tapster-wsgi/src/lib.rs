//! The Python room: [`gateway::App`](tapster_gateway::App) for a WSGI callable (PEP 3333). Read `call.rs` first.
//!
//! Everything here runs in a worker, on a Python thread that leads or answers a request, attached to the
//! interpreter. What a request goes through, by file: `call` (one request, top to bottom), `environ`, `interned`,
//! `recent` and `previous` (variables to a dict), `input`, `errors_stream` and `early_hints` (what the dict holds), `start_response`, `response` and
//! `file_wrapper` (what the application gives back), `failure` (what it raised, to the log), `log_variables` (what it says for the access log); `stacks` tells what all threads do,
//! `interrupt` ends what one does. All `unsafe` is in `ffi`.

#![deny(unsafe_code)]

mod application;
mod call;
mod early_hints;
mod environ;
mod errors_stream;
mod failure;
#[allow(unsafe_code, reason = "the one file that talks to the C API")]
mod ffi;
mod file_wrapper;
pub mod fork;
mod input;
mod interned;
mod interrupt;
pub mod log_variables;
mod previous;
mod recent;
mod response;
mod sampler;
mod stacks;
mod start_response;

pub use application::{Application, Options};
