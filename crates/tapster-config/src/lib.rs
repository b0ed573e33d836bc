//! The options: one table, its sources, its checks. Pure: text in, [`Settings`] out.
//!
//! [`load`] is what a program calls; [`options`] is the table; the sources are `command_line`, `environment`, `file`.

#![forbid(unsafe_code)]

mod access_log;
mod account;
mod acme;
pub mod admin;
mod bind;
mod caching;
mod command_line;
mod compression;
mod control;
mod document;
mod environment;
mod error;
mod error_page;
mod field_rule;
mod file;
mod foreign;
mod front;
mod gunicorn;
mod help;
pub mod kind;
mod load;
mod monitoring;
mod mount;
pub mod option;
pub mod options;
mod origin;
mod peers;
mod protection;
mod renewal;
mod request_id;
pub mod settings;
mod show;
mod site;
mod static_files;
mod template;
mod tls;
mod unknown;
mod upstream;
mod uwsgi;
pub mod values;

pub use acme::{AcmeChallenge, AcmeSettings};
pub use caching::{CachePath, Caching};
pub use compression::{COMPRESSED_TYPES, Compression, ContentCoding};
pub use control::{ControlCommand, ProfileFormat, ProfileOptions, TopOptions, TopOrder, Verb};
pub use error::{ConfigError, Invalid};
pub use error_page::{ErrorPage, Statuses};
pub use field_rule::{FieldChange, FieldRule};
pub use file::{Fact, Files, NoFiles};
pub use foreign::Note;
pub use gunicorn::gunicorn_page;
pub use load::{Command, Loaded, Value, defaults, load};
pub use options::OPTIONS;
pub use origin::{Given, Origin};
pub use renewal::left_out;
pub use settings::*;
pub use show::{Shown, shown};
pub use site::{HostPattern, HostSite, Redirect, Route, RouteTarget, UpstreamGroup};
pub use template::{RequestVariable, Template, TemplatePiece};
pub use uwsgi::uwsgi_page;
