//! A log file that can be exchanged for a new one while it is written to. Done by every process that has it.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Opens a file for lines to be added at its end, whoever else adds some; made if it is not there.
///
/// # Errors
/// What the system says.
pub fn open(path: &Path) -> io::Result<OwnedFd> {
    Ok(OpenOptions::new().append(true).create(true).mode(0o640).open(path)?.into())
}

/// Makes the number of `old` stand for the file of `new` from now on, in this process. A line that is being written goes
/// to one of the two.
///
/// # Errors
/// What the system says; `old` is as it was then.
pub fn replace(old: BorrowedFd<'_>, new: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: both numbers are open, and the owner of the first keeps owning it: what it owns is another file now.
    match unsafe { duplicate(new.as_raw_fd(), old.as_raw_fd()) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[cfg(target_os = "linux")]
unsafe fn duplicate(new: i32, old: i32) -> i32 {
    // SAFETY: the caller's promise; no memory is touched.
    unsafe { libc::dup3(new, old, libc::O_CLOEXEC) }
}

#[cfg(not(target_os = "linux"))]
unsafe fn duplicate(new: i32, old: i32) -> i32 {
    // SAFETY: the caller's promise; no memory is touched.
    unsafe {
        let result = libc::dup2(new, old);
        libc::fcntl(old, libc::F_SETFD, libc::FD_CLOEXEC);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, read_to_string, rename};
    use std::io::Write;
    use std::os::fd::AsFd;

    #[test]
    fn lines_go_to_the_new_file_once_it_is_there() {
        let path = std::env::temp_dir().join(format!("tapster-log-file-{}", std::process::id()));
        let rotated = path.with_extension("1");
        let mut log = File::from(open(&path).unwrap());
        log.write_all(b"one\n").unwrap();
        rename(&path, &rotated).unwrap();
        log.write_all(b"two\n").unwrap();
        replace(log.as_fd(), open(&path).unwrap().as_fd()).unwrap();
        log.write_all(b"three\n").unwrap();
        assert_eq!(
            (read_to_string(&rotated).unwrap(), read_to_string(&path).unwrap()),
            ("one\ntwo\n".into(), "three\n".into())
        );
        assert!(rustix::io::fcntl_getfd(&log).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
        for path in [path, rotated] {
            std::fs::remove_file(path).unwrap();
        }
    }
}
