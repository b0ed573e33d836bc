//! How many descriptors this process may have (RLIMIT_NOFILE). Raised by the supervisor at its start, for all workers.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The soft limit is raised to no more than this, which is what Linux grants at most unless told otherwise: some
/// programs close every possible descriptor when they start.
const ENOUGH: u64 = 1 << 20;

/// What was raised.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Raised {
    /// The soft limit before.
    pub from: u64,
    /// The soft limit now.
    pub to: u64,
}

/// Raises the soft limit to the hard one. None if there is nothing to raise.
///
/// # Errors
/// When the system refuses.
pub fn raise_limit() -> io::Result<Option<Raised>> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let to = maximum.unwrap_or(ENOUGH).min(ENOUGH);
    let Some(from) = current.filter(|&current| current < to) else { return Ok(None) };
    setrlimit(Resource::Nofile, Rlimit { current: Some(to), maximum })?;
    Ok(Some(Raised { from, to }))
}

/// Sets the soft limit, and raises the hard one if it is lower.
///
/// # Errors
/// `PermissionDenied` when raising the hard limit takes a privilege that this process does not have.
pub fn set_limit(wanted: u64) -> io::Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum.map(|hard| hard.max(wanted));
    Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })?)
}

/// Both limits of a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// How many descriptors it may have; none if there is no limit.
    pub soft: Option<u64>,
    /// How far it may raise that by itself.
    pub hard: Option<u64>,
}

impl Limits {
    /// Those of this process.
    pub fn now() -> Limits {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        Limits { soft: current, hard: maximum }
    }

    /// Makes them those of this process. Does nothing if they are.
    ///
    /// # Errors
    /// `PermissionDenied` when that would raise the hard one, which takes a privilege.
    pub fn set(self) -> io::Result<()> {
        if self == Limits::now() {
            return Ok(());
        }
        Ok(setrlimit(Resource::Nofile, Rlimit { current: self.soft, maximum: self.hard })?)
    }
}

/// The soft limit; none if there is no limit.
pub fn limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// How many more descriptors this process may open now; none if there is no limit.
pub fn room() -> Option<u64> {
    // Without that directory it is a guess.
    let open = std::fs::read_dir("/dev/fd").map_or(32, Iterator::count);
    limit().map(|limit| limit.saturating_sub(open as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_open_file_takes_room() {
        let Some(before) = room() else { return };
        let files: Vec<_> = (0..20).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
        // Other tests of this process open and close theirs.
        assert!(room().unwrap() < before, "{} files", files.len());
    }
}
