//! Tests of the whole crate through `load`: sources in, settings or a message out.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should say so")]

mod control;
mod gunicorn;
mod help;
mod mistakes;
mod precedence;
mod reference;
mod sources;
mod uwsgi;
mod values;
