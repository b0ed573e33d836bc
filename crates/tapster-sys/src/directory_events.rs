//! Word of changes in directories (inotify). Read by the supervisor between its other waits, without a thread.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// Readable when something in one of the watched directories may have changed: a file was written and closed, touched,
/// created, or put there by a rename. What it was is to be looked up: no event is worth more than a hint.
#[derive(Debug)]
pub struct DirectoryEvents {
    descriptor: OwnedFd,
}

impl DirectoryEvents {
    /// Watches nothing yet. Non-blocking and close-on-exec.
    ///
    /// # Errors
    /// When the limit on inotify instances is reached; `Unsupported` elsewhere than on Linux.
    #[cfg(target_os = "linux")]
    pub fn open() -> io::Result<DirectoryEvents> {
        use rustix::fs::inotify::{CreateFlags, init};
        Ok(DirectoryEvents { descriptor: init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)? })
    }

    /// Not to be had on this system.
    #[cfg(not(target_os = "linux"))]
    pub fn open() -> io::Result<DirectoryEvents> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Watches a directory as it is found under this path now. Doing so again changes nothing.
    ///
    /// # Errors
    /// When there is no such directory, or the limit on watches (`fs.inotify.max_user_watches`) is reached.
    #[cfg(target_os = "linux")]
    pub fn watch(&self, directory: &Path) -> io::Result<()> {
        use rustix::fs::inotify::{WatchFlags, add_watch};
        let flags = WatchFlags::ATTRIB
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        add_watch(&self.descriptor, directory, flags)?;
        Ok(())
    }

    /// Not to be had on this system.
    #[cfg(not(target_os = "linux"))]
    pub fn watch(&self, _directory: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Forgets the events so far. Says whether there were any.
    pub fn clear(&self) -> bool {
        let mut bytes = [0_u8; 4096];
        let mut any = false;
        loop {
            match rustix::io::read(&self.descriptor, &mut bytes) {
                Ok(count) if count > 0 => any = true,
                Err(rustix::io::Errno::INTR) => {}
                Ok(_) | Err(_) => return any,
            }
        }
    }
}

impl AsFd for DirectoryEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_of_a_watched_directory_are_told_of_and_others_are_not() {
        let base = std::env::temp_dir().join(format!("tapster-events-{}", std::process::id()));
        let (watched, other) = (base.join("watched"), base.join("other"));
        fs::create_dir_all(&watched).unwrap();
        fs::create_dir_all(&other).unwrap();
        let events = DirectoryEvents::open().unwrap();
        events.watch(&watched).unwrap();
        events.watch(&watched).unwrap();
        assert!(!events.clear());
        fs::write(other.join("file"), "").unwrap();
        assert!(!events.clear());
        fs::write(watched.join("file"), "").unwrap();
        assert!(events.clear());
        assert!(!events.clear());
        fs::rename(other.join("file"), watched.join("file")).unwrap();
        assert!(events.clear());
        assert!(events.watch(&base.join("missing")).is_err());
        fs::remove_dir_all(&base).unwrap();
    }
}
