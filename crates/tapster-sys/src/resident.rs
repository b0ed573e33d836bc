//! How much memory a process uses. Asked by the supervisor about its workers.

use std::io;

use crate::process::Pid;

/// Bytes of a process's memory that are in RAM, those that it shares with others included.
///
/// # Errors
/// When the process has gone, or where the system does not tell (macOS).
pub fn bytes(pid: Pid) -> io::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm"))?;
    let pages = text.split_ascii_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.map(|pages| pages * rustix::param::page_size() as u64).ok_or(io::ErrorKind::InvalidData.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_used_counts() {
        let before = bytes(Pid::current()).unwrap();
        let used = vec![1_u8; 64 << 20];
        let after = bytes(Pid::current()).unwrap();
        assert!(after >= before + (48 << 20), "{before} {after} {}", used.len());
        assert!(bytes(Pid::from_raw(i32::MAX)).is_err());
    }
}
