//! The sockets that a service manager opened for this process (sd_listen_fds(3)): which there are, and their names.

use std::ffi::OsString;
use std::os::fd::RawFd;

use crate::process::Pid;

/// The number of the first one; the others follow it.
const FIRST: RawFd = 3;

/// One descriptor from the service manager.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Passed {
    /// Its number in this process.
    pub number: RawFd,
    /// The name that the manager gave it (`FileDescriptorName=`): of a unit, unless it was said, and `unknown` if nothing
    /// was.
    pub name: String,
}

/// What the service manager passed to the first of the servers that took each other's place, of which this is one; their
/// numbers in that process.
pub fn passed_before() -> Vec<Passed> {
    described_by(|name| std::env::var_os(name))
}

/// What the environment says of `LISTEN_PID`, `LISTEN_FDS` and `LISTEN_FDNAMES`: nothing, if they are for another
/// process.
pub fn passed() -> Vec<Passed> {
    passed_to(Pid::current(), |name| std::env::var_os(name))
}

fn passed_to(own: Pid, variable: impl Fn(&str) -> Option<OsString>) -> Vec<Passed> {
    let pid = variable("LISTEN_PID").and_then(|value| value.to_str()?.parse().ok());
    if pid == Some(own.as_raw()) { described_by(variable) } else { Vec::new() }
}

fn described_by(variable: impl Fn(&str) -> Option<OsString>) -> Vec<Passed> {
    let text = |name: &str| variable(name).and_then(|value| value.into_string().ok());
    let count: i32 = text("LISTEN_FDS").and_then(|count| count.parse().ok()).unwrap_or(0);
    let names = text("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':').filter(|name| !name.is_empty());
    let name = |number| Passed { number, name: names.next().unwrap_or("unknown").to_owned() };
    (FIRST..FIRST.saturating_add(count)).map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(variables: &[(&str, &str)]) -> Vec<(RawFd, String)> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        passed_to(Pid::from_raw(40), variable).into_iter().map(|one| (one.number, one.name)).collect()
    }

    #[test]
    fn sockets_have_numbers_from_three_and_names() {
        let both = [("LISTEN_PID", "40"), ("LISTEN_FDS", "2"), ("LISTEN_FDNAMES", "web:admin")];
        assert_eq!(passed(&both), [(3, "web".to_owned()), (4, "admin".to_owned())]);
        assert_eq!(passed(&both[..2]), [(3, "unknown".to_owned()), (4, "unknown".to_owned())]);
    }

    #[test]
    fn what_is_for_another_process_is_not_taken() {
        assert_eq!(passed(&[("LISTEN_PID", "41"), ("LISTEN_FDS", "2")]), []);
        assert_eq!(passed(&[("LISTEN_FDS", "2")]), []);
        for number in ["0", "-1", "x", ""] {
            assert_eq!(passed(&[("LISTEN_PID", "40"), ("LISTEN_FDS", number)]), []);
        }
    }
}
