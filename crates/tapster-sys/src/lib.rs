//! Every system call of Tapster as a small safe type. With `tapster-wsgi`'s `ffi.rs` this is the only room where
//! `unsafe` may be written; each block says why it is sound.
//!
//! Knows nothing of HTTP, Python or the fleet. Linux is the home; macOS compiles, with what it lacks left out
//! and said so.

pub mod accept;
pub mod accept_queue;
pub mod beneath;
pub mod clock;
pub mod connected;
pub mod container;
pub mod cpu;
pub mod cpu_time;
pub mod directory_events;
pub mod exec;
pub mod file;
pub mod file_system;
pub mod fork;
pub mod host_name;
pub mod identity;
pub mod inbox;
pub mod jitter;
pub mod keep;
pub mod letter;
pub mod log_file;
pub mod memory;
mod message;
pub mod notify;
pub mod open_files;
pub mod parcel;
pub mod peer;
pub mod poll;
pub mod port_holder;
pub mod privileges;
pub mod process;
pub mod resident;
pub mod sandbox;
pub mod signal;
pub mod socket;
pub mod thread;
pub mod title;
pub mod user;
pub mod wait;
pub mod whereabouts;
