//! The exporter of `--otlp`: a process beside the supervisor that reads what workers record of their requests, and what the
//! server counts, and sends it to a collector of OpenTelemetry by OTLP over HTTP. It has threads, which is why it is a process
//! of its own; it runs no Python, and nobody waits for it but the end of the server, a bounded time.
//!
//! Read in this order: [`export`] (the loop), [`sender`] (its thread that speaks with the collector), [`spans`] and [`metrics`]
//! (what is sent, in the words of the semantic conventions), [`target`] (where to, from options and variables).

#![forbid(unsafe_code)]

mod export;
mod metrics;
mod sender;
mod spans;
mod target;
mod values;

pub use export::{Ends, FLUSH, run};
pub use target::{Target, sampler};
