//! The watcher of `--reload`: a process beside the supervisor that learns from the workers which files their application
//! is made of, sees them change, and says so. It has threads (those of `notify`), which is why it is a process of its own
//! and why nobody else depends on that crate; it runs no Python.
//!
//! Read in this order: [`watch`] (the loop), [`files`] (what is watched, and what became of it), [`directories`] (word
//! from the system that something may have changed), [`patterns`] (which files count), [`reports`] (what workers say).

#![forbid(unsafe_code)]

mod checkout;
mod directories;
mod files;
mod patterns;
mod reports;
mod watch;

pub use patterns::{PatternError, Patterns};
pub use watch::{Ends, Setup, run};
