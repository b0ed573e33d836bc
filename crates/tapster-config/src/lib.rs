//! The options: one table, its sources, its checks. Pure: text in, [`Settings`] out.

#![forbid(unsafe_code)]

pub mod settings;

pub use settings::*;
