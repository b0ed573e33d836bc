//! A running server to be followed: what it has counted up to now ([`Reading`]), and what two readings say of the time between
//! them ([`Sample`]). The supervisor makes readings; whoever shows them, on a terminal or in a browser, compares them.

pub(super) mod look;
mod reading;
mod sample;

pub use reading::{Measured, Reading, Running, Usage};
pub use sample::{FrontSample, Quantiles, Sample, WorkerSample};
