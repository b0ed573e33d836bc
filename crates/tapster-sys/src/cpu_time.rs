//! How much CPU time another process has used. Asked by the supervisor about its workers.

use std::io;
use std::time::Duration;

use crate::process::Pid;

/// How long all threads of a process have run on a CPU, in user and system mode; to the kernel's clock tick (10 ms).
///
/// # Errors
/// When the process has gone, or where the system does not tell (macOS).
pub fn of(pid: Pid) -> io::Result<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let ticks = ticks(&text).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second().max(1) as f64))
}

/// Fields 14 and 15; the name before them may hold spaces and parentheses.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    next()?.checked_add(next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_time_are_added() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 2030 0 10 0 31 11 0 0 20 0 1 0 9 3031040 950 184467";
        assert_eq!(ticks(stat), Some(42));
        assert_eq!(ticks("7 (short) S 1"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_computes_uses_time() {
        let before = of(Pid::current()).unwrap();
        while of(Pid::current()).unwrap() == before {}
        assert!(of(Pid::from_raw(i32::MAX)).is_err());
    }
}
