//! The request engine of a worker process: sockets on one side, [`tapster_gateway::App`] on the other. It knows no
//! Python and no async runtime; its tests run closures.
//!
//! Read in this order: [`worker`] (what there is), [`serve`] (what a thread does), [`events`] (one poll), [`drive`]
//! (one connection), [`connection`] and [`receive`] (from bytes to a request), [`answer`] and [`respond`] (from the
//! application to the socket), [`burst`] (answers that leave together), [`pace`] and [`deadline`] (slow clients),
//! [`token`] and [`monitor`] (who leads, and when a call blocks), [`body`], [`spool`] and [`incoming`] (request bodies
//! too large for memory), [`outbound`] and [`file`] (answers that their client did not take at once), [`listen`] and
//! [`capacity`] (new clients), [`neighbours`] (several lanes), [`control`] (messages), [`running`] and [`stacks`] (what
//! threads do), [`ownership`], [`overdue`], [`wedged`] and [`reports`] (requests that take too long), [`queue`] and [`flow`] (those that
//! wait), [`elsewhere`] (and those that another worker runs), [`quota`] and [`drain`] (the end).

#![forbid(unsafe_code)]

mod accept;
mod access;
mod answer;
mod backing;
mod blocking;
mod body;
mod budget;
mod burst;
mod capacity;
mod connection;
mod control;
mod date;
mod deadline;
mod disk;
mod drain;
mod drive;
mod elsewhere;
mod events;
mod file;
mod flow;
mod fork;
mod held;
mod http;
mod incoming;
mod introduction;
mod lane;
mod listen;
mod measure;
mod meter;
mod monitor;
mod neighbours;
mod outbound;
mod overdue;
mod ownership;
mod pace;
mod packed;
mod parker;
mod peers;
mod policy;
mod profile;
mod queue;
mod quota;
mod receive;
mod refusal;
mod reports;
mod reserve;
mod respond;
mod routes;
mod running;
mod serve;
mod spool;
mod stacks;
mod stopwatch;
mod stream;
mod token;
mod trace;
mod uwsgi;
mod wedged;
mod worker;

pub use peers::Peers;
pub use worker::{Worker, WorkerParts};
