//! The supervisor: starts workers, keeps as many of them as are wanted, replaces them when the application changes,
//! and stops them. It has no threads, serves no request and never loads the application.
//!
//! [`Fleet`] decides: a state machine without I/O and without a clock. [`Supervision`] acts: it waits for signals,
//! messages, ended children and deadlines, asks the fleet, and does what it says.

#![forbid(unsafe_code)]

mod action;
mod backoff;
mod channels;
mod children;
pub mod control;
mod demand;
mod driver;
mod event;
mod exporter;
mod fleet;
mod front;
pub mod handover;
pub mod init;
mod load;
mod log_rotation;
mod member;
mod outbox;
pub mod pidfile;
mod promotion;
mod report;
mod retirement;
mod role;
pub mod service_manager;
mod stopped;
mod template;
mod template_start;
mod touch;
mod vitals;
mod warmth;
mod watcher;
mod worker_start;

pub use action::{Action, Order, TemplateDeed};
pub use demand::{Reason, Strength};
pub use driver::{Renewal, Supervision};
pub use event::{Command, Event, TemplateEvent};
pub use exporter::{ExporterRole, ExporterStart};
pub use fleet::{Fleet, Outcome, Plan, slots_for};
pub use front::{FrontRole, FrontStart};
pub use handover::Succession;
pub use promotion::Promotion;
pub use report::{BootFailure, Report, TemplateNews};
pub use retirement::RetireReason;
pub use role::{Fork, Observer, Place, Roles, WorkerStart};
pub use template::EXIT_NOT_SHARED;
pub use template_start::{TemplateEnd, TemplateStart};

/// What `ps` and `top` call the process of a supervisor.
const SUPERVISOR_NAME: &str = "tapster";
pub use watcher::{WatcherRole, WatcherStart};
