//! What a process gives up for good, so that a fault of what it runs stays in it: changing files, ports of its own, signals
//! to others (Landlock), and system calls that no application needs (seccomp). Linux alone has these.

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod calls;
#[cfg(target_os = "linux")]
mod rules;

use std::io;
use std::path::PathBuf;

/// What is left to a process: it reads all files and changes some, and connects to whom it likes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sandbox {
    /// Directories and files that it may change, with all that is below them.
    pub writable: Vec<PathBuf>,
}

/// How much of it this system has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Support {
    /// The version of Landlock; 0 means that there is none, and no sandbox.
    pub landlock: u32,
    /// How many system calls can be refused; 0 where none can.
    pub calls: usize,
}

/// What is refused from a version of Landlock on, and the Linux that has it.
const REFUSED_SINCE: [(u32, &str, &str); 4] = [
    (3, "truncating files by name", "6.2"),
    (4, "binding TCP ports", "6.7"),
    (5, "orders to devices (ioctl)", "6.10"),
    (6, "signals to other processes", "6.12"),
];

impl Support {
    /// As it is now; a container may hide what the system has.
    pub fn now() -> Support {
        Support { landlock: landlock(), calls: refusable() }
    }

    /// What is refused besides changing files, in words.
    pub fn refused(self) -> Vec<&'static str> {
        REFUSED_SINCE.iter().filter(|(since, ..)| *since <= self.landlock).map(|(_, what, _)| *what).collect()
    }

    /// What a newer system would refuse: in words, and since which Linux.
    pub fn lacking(self) -> Vec<(&'static str, &'static str)> {
        let newer = REFUSED_SINCE.iter().filter(|(since, ..)| *since > self.landlock);
        newer.map(|(_, what, linux)| (*what, *linux)).collect()
    }
}

impl Sandbox {
    /// Puts the calling thread into it for good, with all that it starts; system calls are refused to the whole process.
    /// So it is to be called while there is one thread. Programs that it executes gain no privileges any more. As much is
    /// refused as the system can, see [`Support`]. Gives what it names and cannot be reached, which stays closed.
    ///
    /// # Errors
    /// When there is no Landlock, or the system refuses one of the two. The process must not go on.
    pub fn enter(&self) -> io::Result<Vec<PathBuf>> {
        #[cfg(target_os = "linux")]
        {
            let closed = rules::enter(&self.writable)?;
            // Last: its own calls are not among the refused, but those of the rules might come to be.
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            if calls::can_be_refused() {
                calls::refuse()?;
            }
            Ok(closed)
        }
        #[cfg(not(target_os = "linux"))]
        Err(io::ErrorKind::Unsupported.into())
    }
}

fn landlock() -> u32 {
    #[cfg(target_os = "linux")]
    return rules::version();
    #[cfg(not(target_os = "linux"))]
    0
}

fn refusable() -> usize {
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    if calls::can_be_refused() {
        return calls::REFUSED.len();
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_older_system_lacks_is_named() {
        let old = Support { landlock: 3, calls: 0 };
        assert_eq!(old.refused(), ["truncating files by name"]);
        let lacking: Vec<_> = old.lacking().iter().map(|(what, _)| *what).collect();
        assert_eq!(lacking, ["binding TCP ports", "orders to devices (ioctl)", "signals to other processes"]);
        assert_eq!(old.lacking()[0].1, "6.7");
        assert!(Support { landlock: 7, calls: 0 }.lacking().is_empty());
    }
}
