//! How many CPUs there are for this server: what `--workers auto` means, and why.

/// CPUs that this process may use, and what there would be without bounds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cpus {
    /// What may be used: the affinity, and no more than the control group's quota (v1 or v2, rounded down) pays for.
    /// At least 1.
    pub usable: usize,
    /// What the affinity mask allows; at least `usable`.
    pub affine: usize,
    /// What the machine has; at least `affine`.
    pub online: usize,
}

/// CPUs that this process may use. At least 1.
pub fn usable_cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The same with its reasons.
pub fn cpus() -> Cpus {
    let usable = usable_cpus();
    let affine = affine_cpus().unwrap_or(usable).max(usable);
    Cpus { usable, affine, online: online_cpus().unwrap_or(affine).max(affine) }
}

#[cfg(target_os = "linux")]
fn affine_cpus() -> Option<usize> {
    let set = rustix::thread::sched_getaffinity(None).ok()?;
    usize::try_from(set.count()).ok()
}

#[cfg(not(target_os = "linux"))]
fn affine_cpus() -> Option<usize> {
    None
}

fn online_cpus() -> Option<usize> {
    // SAFETY: `sysconf` touches no memory of this process.
    let count = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    usize::try_from(count).ok().filter(|count| *count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_cpu_and_bounds_only_take_away() {
        let Cpus { usable, affine, online } = cpus();
        assert!(1 <= usable && usable <= affine && affine <= online);
        assert_eq!(usable, usable_cpus());
    }
}
