//! USR1: whoever rotates logs has moved the files away, and new ones are begun. The supervisor opens them, for the workers
//! too, which may be users that could not.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use tapster_config::{LogDestination, Settings};
use tapster_observe::{Incident, Log};
use tapster_sys::inbox::Message;
use tapster_sys::log_file;

/// Where the files of the log are.
#[derive(Debug)]
pub struct LogFiles {
    log: Option<PathBuf>,
    access: Option<PathBuf>,
}

impl LogFiles {
    /// As the settings name them.
    pub fn of(settings: &Settings) -> LogFiles {
        let access = match &settings.access_log.destination {
            Some(LogDestination::File(path)) => Some(path.clone()),
            _ => None,
        };
        LogFiles { log: settings.log_file.clone(), access }
    }

    /// Begins new files at their paths; it stays with an old one where that cannot be.
    pub fn reopen(&self, log: &Log) {
        reopen(self.log.as_deref().zip(log.file()), "log file", "--log-file", log);
        reopen(self.access.as_deref().zip(log.access_file()), "access log", "--access-logfile", log);
    }
}

fn reopen(file: Option<(&Path, BorrowedFd<'_>)>, what: &str, option: &str, log: &Log) {
    let Some((path, old)) = file else { return };
    match log_file::open(path).and_then(|new| log_file::replace(old, new.as_fd())) {
        Ok(()) => log.info(format_args!("the {what} was opened again")),
        Err(error) => log.report(
            Incident::LOG_NOT_REOPENED,
            format_args!(
                "cannot open the {what} {} again, writing on to the old one: {error} ({option})",
                path.display()
            ),
        ),
    }
}

/// What others are told when the files are new.
pub fn messages(log: &Log) -> impl Iterator<Item = Message> {
    [Message::Reopen].into_iter().chain(log.access_file().map(|_| Message::ReopenAccess))
}

/// The file that goes beside such a message, as it is now.
pub fn file_beside(message: Message, log: &Log) -> Option<BorrowedFd<'_>> {
    match message {
        Message::Reopen => log.file(),
        Message::ReopenAccess => log.access_file(),
        _ => None,
    }
}
