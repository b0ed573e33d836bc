//! How many CPUs there are for this server: what `--workers auto` means.

/// CPUs that this process may use: those of its affinity mask, and no more than its control group's quota (v1 or v2,
/// rounded down) pays for. At least 1.
pub fn usable_cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    #[test]
    fn there_is_a_cpu() {
        assert!(super::usable_cpus() >= 1);
    }
}
