//! How much memory a process uses, and how much of that is its own. Asked by the supervisor about its workers.

use std::io;

use crate::process::Pid;

/// How much memory a process has, what it shares with others included.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sizes {
    /// Bytes of its addresses.
    pub mapped: u64,
    /// Bytes of these that are in RAM.
    pub resident: u64,
}

/// Bytes of a process's memory that are in RAM, those that it shares with others included.
///
/// # Errors
/// When the process has gone, or where the system does not tell (macOS).
pub fn bytes(pid: Pid) -> io::Result<u64> {
    sizes(pid).map(|sizes| sizes.resident)
}

/// How much memory a process has.
///
/// # Errors
/// When the process has gone, or where the system does not tell (macOS).
pub fn sizes(pid: Pid) -> io::Result<Sizes> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm"))?;
    let mut fields = text.split_ascii_whitespace();
    let mut next = || {
        let pages = fields.next().and_then(|pages| pages.parse::<u64>().ok());
        pages.map(|pages| pages * rustix::param::page_size() as u64)
    };
    let (mapped, resident) = (next(), next());
    mapped
        .zip(resident)
        .map(|(mapped, resident)| Sizes { mapped, resident })
        .ok_or(io::ErrorKind::InvalidData.into())
}

/// Bytes of memory that a process has for itself, in RAM or swapped out, if they are more than `limit`: what its end would
/// give back. Files that it maps do not count, nor pages that it shares since a fork, but its part of those swapped out.
///
/// The system keeps count of what it would be if nothing were shared, so that is looked at first: to tell what is shared
/// takes a walk over all pages, a millisecond for every few hundred MiB. Where that is refused, nothing is.
///
/// # Errors
/// When the process has gone, or where the system does not tell (macOS).
pub fn own_beyond(pid: Pid, limit: u64) -> io::Result<Option<u64>> {
    let beyond = |bytes: u64| Some(bytes).filter(|bytes| *bytes > limit);
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    // Kernels before 4.5 do not tell which pages are those of files.
    let anonymous = size(&status, "RssAnon:").or_else(|| size(&status, "VmRSS:"));
    let all = anonymous.ok_or(io::ErrorKind::InvalidData)? + size(&status, "VmSwap:").unwrap_or(0);
    if all <= limit {
        return Ok(None);
    }
    let pages = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let private = size(&pages, "Private_Dirty:").map(|bytes| bytes + size(&pages, "SwapPss:").unwrap_or(0));
    Ok(beyond(private.unwrap_or(all).min(all)))
}

/// A size in one of the texts of `/proc`: `RssAnon:      1234 kB`.
fn size(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// One test: what another allocates meanwhile would count too.
    #[test]
    fn memory_that_is_used_counts_and_mapped_files_are_nobodys_own() {
        let own = || own_beyond(Pid::current(), 0).unwrap().unwrap();
        let before = (bytes(Pid::current()).unwrap(), own());
        let used = vec![1_u8; 64 << 20];
        let after = (bytes(Pid::current()).unwrap(), own());
        let enough = |before: u64, after: u64| after >= before + (48 << 20);
        assert!(
            enough(before.0, after.0) && enough(before.1, after.1),
            "{before:?} {after:?} {}",
            used.len()
        );
        assert!(after.1 < after.0, "{after:?}");
        assert!(bytes(Pid::from_raw(i32::MAX)).is_err());
        assert_eq!(own_beyond(Pid::current(), u64::MAX).unwrap(), None);
        assert!(own_beyond(Pid::from_raw(i32::MAX), 0).is_err());
    }

    #[test]
    fn sizes_are_found_by_their_whole_name() {
        let text = "Name:\tx\nVmRSS:\t    2256 kB\nRssAnon:\t     152 kB\nVmSwap:\t0 kB\n";
        let sizes = ["RssAnon:", "VmRSS:", "VmSwap:", "RssFile:"].map(|name| size(text, name));
        assert_eq!(sizes, [Some(152 << 10), Some(2256 << 10), Some(0), None]);
    }
}
