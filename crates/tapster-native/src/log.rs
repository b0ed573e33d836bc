//! The log that the settings describe: what is written, and the files and sockets that it goes to, opened by the supervisor for
//! all its children.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tapster_config::{AccessLog, LogDestination, LogFormat, LogLevel, Settings};
use tapster_observe::recent::RECENT_WORDS;
use tapster_observe::{
    AccessFilter, AccessFormat, AccessMode, Datagrams, Level, Log, LogOptions, Output, Recent, Relay,
};
use tapster_sys::log_file;
use tapster_sys::memory::SharedWords;

/// Why there is no such log, and one to complain in.
pub(crate) struct NoLog {
    pub(crate) log: Log,
    pub(crate) reason: String,
    /// The settings are wrong, and not the host.
    pub(crate) is_usage: bool,
}

/// Opens it.
pub(crate) fn open(settings: &Settings) -> Result<Log, NoLog> {
    let level = match settings.log_level {
        LogLevel::Error => Level::Error,
        LogLevel::Warning => Level::Warning,
        LogLevel::Info => Level::Info,
        LogLevel::Debug => Level::Debug,
    };
    let own = LogOptions {
        level,
        as_json: settings.log_format == LogFormat::Json,
        repeats: settings.log_repeats,
        process: tapster_sys::process::id,
        ..LogOptions::default()
    };
    let mut options = LogOptions { access: filter(settings), ..own.clone() };
    match complete(settings, &mut options) {
        Ok(()) => Ok(Log::new(options)),
        Err((reason, is_usage)) => Err(NoLog { log: Log::new(own), reason, is_usage }),
    }
}

fn complete(settings: &Settings, options: &mut LogOptions) -> Result<(), (String, bool)> {
    if !settings.admin_bind.is_empty() {
        let words = SharedWords::create("tapster-recent", RECENT_WORDS);
        let words = words.map_err(|error| (format!("no memory for the dashboard: {error}"), false))?;
        options.recent = Some(Recent::new(Arc::new(words)));
    }
    let format = AccessFormat::parse(&settings.access_log.format);
    options.format = format.map_err(|error| (format!("--access-log-format: {error}"), true))?;
    if let Some(path) = &settings.log_file {
        let file = Output::Descriptor(Arc::new(file(path, "the log file", "--log-file")?));
        (options.messages, options.requests) = (file.clone(), file);
    }
    if let Some(destination) = &settings.access_log.destination {
        options.requests = output(destination, settings, options)?;
    }
    Ok(())
}

/// `auto` is meant for output that somebody looks at, or that is shared with other lines.
fn filter(settings: &Settings) -> AccessFilter {
    let wanted = &settings.access_log;
    let mode = match wanted.which {
        // Who works on an application wants to see what it is asked for.
        AccessLog::Auto if settings.reload || wanted.destination.is_some() => AccessMode::On,
        AccessLog::Auto => AccessMode::Auto,
        AccessLog::On => AccessMode::On,
        AccessLog::Off => AccessMode::Off,
    };
    let statuses = wanted.statuses.iter().map(|(first, last)| *first..=*last).collect();
    AccessFilter::new(mode).with_statuses(statuses).slower(wanted.slower).without(wanted.skip.clone())
}

fn output(
    destination: &LogDestination,
    settings: &Settings,
    options: &LogOptions,
) -> Result<Output, (String, bool)> {
    let socket = |made: io::Result<Datagrams>, name: &str| match made {
        Ok(datagrams) => Ok(Output::Datagrams(Arc::new(datagrams))),
        Err(error) => Err((format!("cannot log requests to {name}: {error} (--access-logfile)"), false)),
    };
    match destination {
        LogDestination::Stdout => Ok(Output::Stdout),
        LogDestination::Stderr => Ok(Output::Stderr),
        // Two descriptors for one file would be opened anew one after the other.
        LogDestination::File(path) if settings.log_file.as_ref() == Some(path) => {
            Ok(options.messages.clone())
        }
        LogDestination::File(path) => {
            let file = file(path, "the access log", "--access-logfile")?;
            Ok(Output::Descriptor(Arc::new(file)))
        }
        LogDestination::Syslog(path) => socket(Datagrams::syslog(path.clone()), "the syslog"),
        LogDestination::Udp(address) => socket(Datagrams::udp(address), address),
        LogDestination::Unix(path) => socket(Datagrams::plain(path.clone()), &path.display().to_string()),
        LogDestination::Python if settings.front_alone => {
            let reason = "--access-log python needs an application, and tapster front has none";
            Err((reason.to_owned(), true))
        }
        LogDestination::Python => Ok(Output::Relay(Arc::new(Relay::default()))),
    }
}

fn file(path: &Path, what: &str, option: &str) -> Result<std::os::fd::OwnedFd, (String, bool)> {
    log_file::open(path)
        .map_err(|error| (format!("cannot open {what} {}: {error} ({option})", path.display()), false))
}
