//! USR1: whoever rotates logs has moved the file away, and a new one is begun. The supervisor opens it, for the workers
//! too, which may be users that could not.

use std::os::fd::AsFd;
use std::path::Path;

use tapster_observe::Log;
use tapster_sys::log_file;

/// Begins a new log file at the path, if there is one; it stays with the old one if that cannot be.
pub fn reopen(path: Option<&Path>, log: &Log) {
    let (Some(path), Some(old)) = (path, log.file()) else { return };
    match log_file::open(path).and_then(|new| log_file::replace(old, new.as_fd())) {
        Ok(()) => log.info(format_args!("the log file was opened again")),
        Err(error) => log.error(format_args!(
            "cannot open the log file {} again, writing on to the old one: {error} (--log-file)",
            path.display()
        )),
    }
}
