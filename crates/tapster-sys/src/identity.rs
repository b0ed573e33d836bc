//! Becoming somebody else for good: groups, group, user, and the proof that there is no way back. Done by each worker
//! before the application is loaded.

use std::fmt;
use std::io;

/// Who a process is to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The user; none means that it stays.
    pub uid: Option<u32>,
    /// The group.
    pub gid: u32,
    /// All groups, the one above too.
    pub groups: Vec<u32>,
}

/// Why a process is not who it was to be. It must not go on.
#[derive(Debug)]
pub enum NotAssumed {
    /// The system refused a step.
    Refused {
        /// The call.
        call: &'static str,
        /// Why.
        error: io::Error,
    },
    /// The system said yes, and it is not so.
    NotSo(&'static str),
}

impl fmt::Display for NotAssumed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotAssumed::Refused { call, error } => write!(f, "{call}: {error}"),
            NotAssumed::NotSo(what) => write!(f, "afterwards {what}"),
        }
    }
}

impl std::error::Error for NotAssumed {}

impl Identity {
    /// Whether this process is that already: there is nothing to give up. Groups count for those only who may choose them.
    pub fn is_ours(&self) -> bool {
        self.has_ids().is_ok() && (!may_change() || self.has_groups().is_ok())
    }

    /// Makes the process this. Its parent-death signal is gone afterwards; core files are written as before.
    ///
    /// # Errors
    /// When a step is refused, or did not have its effect: the process may then be half of each and must end.
    pub fn assume(&self) -> Result<(), NotAssumed> {
        if self.is_ours() {
            return Ok(());
        }
        // The order matters: who is no longer root may not change groups.
        succeed("setgroups", set_groups(&self.groups))?;
        // SAFETY: plain numbers go in, nothing is written.
        succeed("setgid", unsafe { libc::setgid(self.gid) })?;
        if let Some(uid) = self.uid {
            // SAFETY: as above.
            succeed("setuid", unsafe { libc::setuid(uid) })?;
        }
        stay_dumpable();
        self.has_ids()?;
        self.has_groups()?;
        self.uid.filter(|uid| *uid != 0).map_or(Ok(()), |_| no_way_back())
    }

    fn has_ids(&self) -> Result<(), NotAssumed> {
        let Ids { users, groups } =
            ids().map_err(|error| NotAssumed::Refused { call: "getresuid", error })?;
        if self.uid.is_some_and(|uid| users != [uid; 3]) {
            return Err(NotAssumed::NotSo("the user is another one"));
        }
        if groups != [self.gid; 3] {
            return Err(NotAssumed::NotSo("the group is another one"));
        }
        Ok(())
    }

    fn has_groups(&self) -> Result<(), NotAssumed> {
        let found = supplementary_groups()?;
        let wanted = |gid: &u32| self.groups.contains(gid) || *gid == self.gid;
        if found.iter().all(wanted) && self.groups.iter().all(|gid| found.contains(gid)) {
            return Ok(());
        }
        Err(NotAssumed::NotSo("the supplementary groups are others"))
    }
}

/// Whether this process may become another user: it is root and was not deprived of that right.
pub fn may_change() -> bool {
    #[cfg(target_os = "linux")]
    {
        use rustix::thread::{CapabilitySet, capabilities};
        let needed = CapabilitySet::SETUID | CapabilitySet::SETGID;
        rustix::process::geteuid().is_root()
            && capabilities(None).is_ok_and(|sets| sets.effective.contains(needed))
    }
    #[cfg(not(target_os = "linux"))]
    rustix::process::geteuid().is_root()
}

/// Real, effective and saved numbers.
struct Ids {
    users: [u32; 3],
    groups: [u32; 3],
}

#[cfg(target_os = "linux")]
fn ids() -> io::Result<Ids> {
    let mut ids = Ids { users: [0; 3], groups: [0; 3] };
    let [real, effective, saved] = &mut ids.users;
    // SAFETY: all three are writable for the call.
    let users = unsafe { libc::getresuid(real, effective, saved) };
    let [real, effective, saved] = &mut ids.groups;
    // SAFETY: as above.
    let groups = unsafe { libc::getresgid(real, effective, saved) };
    if users == 0 && groups == 0 { Ok(ids) } else { Err(io::Error::last_os_error()) }
}

/// Where saved numbers cannot be asked for, the attempt to become root again is the proof.
#[cfg(not(target_os = "linux"))]
fn ids() -> io::Result<Ids> {
    let (uid, euid) = (rustix::process::getuid().as_raw(), rustix::process::geteuid().as_raw());
    let (gid, egid) = (rustix::process::getgid().as_raw(), rustix::process::getegid().as_raw());
    Ok(Ids { users: [uid, euid, euid], groups: [gid, egid, egid] })
}

fn supplementary_groups() -> Result<Vec<u32>, NotAssumed> {
    let groups = rustix::process::getgroups()
        .map_err(|error| NotAssumed::Refused { call: "getgroups", error: error.into() })?;
    Ok(groups.into_iter().map(rustix::process::Gid::as_raw).collect())
}

/// What is left of root must be nothing: no capability, and no way to become root again.
fn no_way_back() -> Result<(), NotAssumed> {
    // SAFETY: a plain number goes in, nothing is written.
    if unsafe { libc::setuid(0) } == 0 {
        return Err(NotAssumed::NotSo("the process could become root again"));
    }
    #[cfg(target_os = "linux")]
    {
        let sets = rustix::thread::capabilities(None)
            .map_err(|error| NotAssumed::Refused { call: "capget", error: error.into() })?;
        if !sets.effective.is_empty() || !sets.permitted.is_empty() {
            return Err(NotAssumed::NotSo("the process has capabilities"));
        }
    }
    Ok(())
}

/// A change of user takes the process's own files in `/proc` away from it, and its core files.
fn stay_dumpable() {
    #[cfg(target_os = "linux")]
    {
        // Without it the process serves all the same.
        let _poorer = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::Dumpable);
    }
}

fn set_groups(groups: &[u32]) -> libc::c_int {
    #[cfg(not(target_vendor = "apple"))]
    let count = groups.len();
    #[cfg(target_vendor = "apple")]
    let count = libc::c_int::try_from(groups.len()).unwrap_or(libc::c_int::MAX);
    // SAFETY: the list has that many numbers and is only read.
    unsafe { libc::setgroups(count, groups.as_ptr()) }
}

fn succeed(call: &'static str, result: libc::c_int) -> Result<(), NotAssumed> {
    match result {
        0 => Ok(()),
        _ => Err(NotAssumed::Refused { call, error: io::Error::last_os_error() }),
    }
}
