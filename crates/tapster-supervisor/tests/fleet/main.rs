//! The fleet on a clock of our own: one scenario after the other.

mod reforking;
mod reloading;
mod replacing;
mod starting;
mod stopping;
mod world;
